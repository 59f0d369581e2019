"""The official `ollama` package, talking to what this speech says, over a real socket."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import ollama
import pytest

from ailb.chat import Chunks, completion
from ailb.clients.ollama import OllamaChat
from ailb.dialect import Event, Speech
from ailb.errors import ModelNotFound, Refusal, UpstreamBroken
from ailb.prompt import Prompt
from ailb.usage import Usage

SPEECH: Speech = OllamaChat()
USAGE = Usage(input=3, output=4)
ARGUMENTS: dict[str, Any] = {"city": "Zürich", "days": 2}


class Handler(BaseHTTPRequestHandler):
    """Answers as the gateway would with an upstream that speaks chat completions; the model's name says what it answers."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        try:
            prompt = SPEECH.prompt(body, {})
            if self.path not in SPEECH.paths or prompt.model == "unknown":
                raise ModelNotFound("Model not found: unknown")
        except Refusal as refusal:
            self._send(refusal.status, "application/json", SPEECH.error(refusal))
            return
        if prompt.stream:
            self._send(200, SPEECH.stream_type, streamed(prompt))
        else:
            self._send(200, "application/json", SPEECH.whole(prompt, answer(prompt)))

    def log_message(self, format: str, *args: Any) -> None:
        """Tests are quiet."""

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def answer(prompt: Prompt) -> Event:
    function = {"name": "weather", "arguments": json.dumps(ARGUMENTS)}
    calls = [{"id": "a", "type": "function", "function": function}] if prompt.has_tools else []
    message = {"content": f"You said: {prompt.question}", "reasoning_content": "hm", **({"tool_calls": calls} if calls else {})}
    return completion("chatcmpl-1", prompt.model, prompt.received, message, finish="stop", usage=USAGE)


def streamed(prompt: Prompt) -> bytes:
    chunks = Chunks("chatcmpl-1", prompt.model, prompt.received, wants_usage=prompt.wants_usage)
    events = [chunks.delta({"role": "assistant", "content": ""}), chunks.delta({"reasoning_content": "hm"})]
    events += [chunks.delta({"content": word}) for word in ("You said: ", prompt.question)]
    if prompt.has_tools:
        text = json.dumps(ARGUMENTS)
        events += [chunks.tool(0, "a", "weather"), chunks.arguments(0, text[:9]), chunks.arguments(0, text[9:])]
    encoder = SPEECH.encoder(prompt)
    said = b"".join(map(encoder.feed, [*events, chunks.delta({}, "stop"), chunks.usage(USAGE)]))
    return said + (encoder.error(UpstreamBroken("it was cut")) if prompt.model == "cut" else encoder.end())


@pytest.fixture(name="client", scope="module")
def client_fixture() -> Iterator[ollama.Client]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with ollama.Client(host=f"http://127.0.0.1:{server.server_address[1]}") as client:
            yield client
        server.shutdown()
        thread.join()


def weather(city: str, days: int) -> str:
    """Tells the weather.

    Args:
        city: where
        days: for how long
    """
    return f"{city}: {days} days of rain"


MESSAGES = [{"role": "user", "content": "grüezi"}]


def test_a_whole_answer(client: ollama.Client) -> None:
    made = client.chat("m", MESSAGES, options={"num_predict": 5}, think=True)
    assert ("You said: grüezi", "hm", True, "stop") == (made.message.content, made.message.thinking, made.done, made.done_reason)
    assert ("m", 3, 4, "1970-01-01T00:00:00Z") == (made.model, made.prompt_eval_count, made.eval_count, made.created_at)


def test_a_stream(client: ollama.Client) -> None:
    parts = list(client.chat("m", MESSAGES, stream=True))
    assert "You said: grüezi" == "".join(part.message.content or "" for part in parts)
    assert "hm" == "".join(part.message.thinking or "" for part in parts)
    assert [False] * (len(parts) - 1) + [True] == [part.done for part in parts]
    assert (3, 4) == (parts[-1].prompt_eval_count, parts[-1].eval_count)


def test_tools_go_there_and_back(client: ollama.Client) -> None:
    made = client.chat("m", MESSAGES, tools=[weather])
    streamed = [call for part in client.chat("m", MESSAGES, tools=[weather], stream=True) for call in part.message.tool_calls or ()]
    for calls in (made.message.tool_calls or (), streamed):
        assert [("weather", ARGUMENTS)] == [(call.function.name, call.function.arguments) for call in calls]
    result = {"role": "tool", "content": weather(**ARGUMENTS), "tool_name": "weather"}
    assert "You said: grüezi" == client.chat("m", [*MESSAGES, made.message, result]).message.content


def test_errors_are_read(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError) as refused:
        client.chat("unknown", MESSAGES)
    assert (404, "Model not found: unknown") == (refused.value.status_code, refused.value.error)
    with pytest.raises(ollama.ResponseError) as refused:
        client.chat("m", [])
    assert 400 == refused.value.status_code
    with pytest.raises(ollama.ResponseError) as refused:
        list(client.chat("unknown", MESSAGES, stream=True))
    assert (404, "Model not found: unknown") == (refused.value.status_code, refused.value.error)


def test_a_broken_stream_is_seen(client: ollama.Client) -> None:
    heard: list[str] = []
    with pytest.raises(ollama.ResponseError, match="it was cut"):
        heard.extend(part.message.content or "" for part in client.chat("cut", MESSAGES, stream=True))
    assert "You said: grüezi" == "".join(heard)


def test_images_and_schemas_arrive(client: ollama.Client) -> None:
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 8
    message = ollama.Message(role="user", content="see", images=[ollama.Image(value=png)])
    assert "You said: see" == client.chat("m", [message], format={"type": "object"}).message.content


def test_how_the_edge_knows_it() -> None:
    assert (("/api/chat",), "application/x-ndjson", b"") == (SPEECH.paths, SPEECH.stream_type, SPEECH.heartbeat)
