"""What an SDK should hear through the gateway, worked out from the recording or from what it hears without the gateway."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ailb.clients.messages import Messages
from ailb.clients.ollama import OllamaChat
from ailb.dialect import Speech
from ailb.errors import BadRequest
from providers.anthropic_request import messages_body
from providers.catalog import ROWS
from providers.ollama_request import chat_body
from tests.e2e.replay import Json, Recording, Rig, Sent
from tests.e2e.said import Answer, Said, Tokens, anthropic, chat, ollama
from tests.e2e.sdks import MOUNT, SDKS, Failure, Heard

SPEECHES: Mapping[str, Speech] = {"messages": Messages(), "api.chat": OllamaChat()}
READERS: Mapping[str, Callable[[list[Json]], Answer]] = {"messages": anthropic, "api.chat": ollama}

KNOWN = {
    "r5f840d": "a conversation without a message is refused by the gateway itself",
    "re86ece": "the message quotes a key, which is hidden",
    "r0c4078": "the SDK does not find the message in `detail`; the gateway puts it where it does",
}
"""What a client of the provider's own dialect hears otherwise, and why."""

TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
"""What the gateway says where the provider's error has no type."""

RAISED = {400: "BadRequestError", 401: "AuthenticationError", 404: "NotFoundError"}

Difference = Callable[[Recording], object]
"""None where all is as it should be."""


def differences(recorded: Iterable[Recording], difference: Difference) -> dict[str, object]:
    recorded = list(recorded)
    with ThreadPoolExecutor(8) as several:
        found = zip(recorded, several.map(difference, recorded), strict=True)
        return {recording.file: what for recording, what in found if what is not None}


def same_dialect(wire: Rig) -> Difference:
    """The SDK with the gateway, against the SDK without it."""
    direct = {endpoint: sdk(wire.direct.url("/any")) for endpoint, sdk in SDKS.items()}
    gateway = {endpoint: sdk(wire.url + MOUNT[endpoint]) for endpoint, sdk in SDKS.items()}

    def difference(recording: Recording) -> object:
        body, headers = {**recording.body, "model": recording.model}, recording.headers
        plain = direct[recording.endpoint](body, {**headers, "x-replay-file": recording.file})
        heard = gateway[recording.endpoint]({**body, "model": f"{recording.key}/{recording.model}"}, headers)
        failed = typed(plain.failure) if plain.failure and recording.endpoint == "chat.completions" else plain.failure
        found = unless_equal((failed, expected(recording, plain)), (heard.failure, told(recording, heard)))
        if recording.key in KNOWN:
            return None if found else f"no longer so: {KNOWN[recording.key]}"
        return found

    return difference


def unless_equal(expected: object, actual: object) -> object:
    return None if expected == actual else (expected, actual)


def typed(failure: Failure) -> Failure:
    return replace(failure, type=failure.type or TYPES.get(failure.status or 0, "invalid_request_error"))


def is_plain(recording: Recording) -> bool:
    """Whether the gateway passes the answer on as it came."""
    return recording.endpoint != "chat.completions" or not ROWS[recording.kind].quirks


def expected(recording: Recording, plain: Heard) -> Any:
    if is_plain(recording):
        return [without_padding(thing) for thing in plain.objects]
    choices, tokens = chat(plain.objects, stream=recording.stream, strict=False)
    for said in choices.values():
        said.finish = {"eos": "stop"}.get(str(said.finish), said.finish)
    if tokens is not None and recording.provider == "xai":
        tokens.completion += tokens.reasoning
    asked = not recording.stream or (recording.body.get("stream_options") or {}).get("include_usage")
    return choices, tokens if asked else None


def told(recording: Recording, heard: Heard) -> Any:
    if is_plain(recording):
        return [without_padding(thing) for thing in heard.objects]
    return chat(heard.objects, stream=recording.stream, strict=True)


def without_padding(thing: Json) -> Json:
    return {name: value for name, value in thing.items() if name != "obfuscation" and (name, value) != ("usage", None)}


def as_asked(recording: Recording, given: Sent) -> Sent:
    """What the provider should have got of what the client gave: it is always asked for the usage of a stream."""
    body = given.body
    if recording.endpoint == "chat.completions" and recording.stream and recording.kind != "mistral":
        body = {**body, "stream_options": {**(body.get("stream_options") or {}), "include_usage": True}}
    return Sent(body, given.headers)


def empty(recording: Recording) -> bool:
    """Whether nobody says anything: what the gateway itself refuses."""
    return not any(message.get("content") for message in recording.body["messages"])


def anything(recording: Recording) -> Json:
    return {"messages": [{"role": "user", "content": "hi"}], "stream": recording.stream, "stream_options": {"include_usage": True}}


def in_chat(recording: Recording) -> Json | None:
    try:
        return SPEECHES[recording.endpoint].prompt(recording.body, recording.headers).chat()
    except BadRequest:
        return None


def from_chat(recording: Recording, endpoint: str) -> Json | None:
    """None where it cannot be said, and for what only clients of OpenAI's older shape are answered."""
    translate = {"messages": messages_body, "api.chat": chat_body}[endpoint]
    if recording.body.get("functions"):
        return None
    try:
        body = translate(recording.body, recording.model, stream=recording.stream)
        SPEECHES[endpoint].prompt({"max_tokens": 9, **body}, {}).chat()
        return body
    except BadRequest:
        return None


def refused(recording: Recording) -> tuple[str, int, str]:
    error = recording.response.get("body", {}).get("error")
    return RAISED[recording.status], recording.status, error if isinstance(error, str) else error["message"]


def without_ids(answer: Answer) -> Answer:
    """Ollama has none that last; a client of OpenAI gets some all the same."""
    for said in answer[0].values():
        ids = {call.id for call in said.calls}
        assert len(said.calls) == len(ids - {""})
        said.calls = [replace(call, id="") for call in said.calls]
    return answer


def as_heard(recording: Recording, endpoint: str) -> Answer:
    """OpenAI's answer as far as the other dialect has words for it."""
    choices, tokens = chat(recording.objects, stream=recording.stream, strict=True)
    said, tokens = choices[0], tokens or Tokens()
    said.finish = "tool_calls" if said.calls and said.finish != "length" else said.finish or "stop"
    if endpoint == "api.chat":
        finish = said.finish if said.calls or said.finish == "length" else "stop"
        calls = [replace(call, id="") for call in said.calls if not isinstance(call.arguments, str)]  # a call that was cut is none
        return {0: Said(said.text + said.refusal, calls=calls, finish=finish)}, Tokens(tokens.prompt, tokens.completion)
    finish = "content_filter" if said.refusal else said.finish
    return {0: Said(said.text + said.refusal, calls=said.calls, finish=finish)}, replace(tokens, reasoning=0)
