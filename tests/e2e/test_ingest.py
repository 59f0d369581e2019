"""Documents from files to passages: the command line, its worker and a gateway, each a real process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.ailb.ingest.pdfs import pdf
from tests.e2e.gateway import PATIENT, Gateway, free_port, provider, table
from tests.e2e.paying import ADMIN, api, audited, new_key, started
from tests.e2e.upstream import Talk, Upstream

if find_spec("chromadb") is None:
    pytest.skip("ailb[rag] is not installed", allow_module_level=True)

LAYERS = "".join(f'[[layer]]\nuse = "{name}"\n' for name in ("access", "auth", "budget", "rag", "routing"))
GUIDE = "# Guide\n\n## Returns\n\nCustomers may send goods back within thirty days.\n\n## Shipping\n\nParcels leave on Mondays.\n"


async def embeds(talk: Talk) -> None:
    """Texts about parcels in one direction, all others in another."""
    rows = [
        {"index": place, "embedding": [1.0, 0.0] if "Parcel" in text else [0.0, 1.0]} for place, text in enumerate(talk.call.json["input"])
    ]
    await talk.answer({"data": rows, "usage": {"prompt_tokens": 10 * len(rows), "total_tokens": 10 * len(rows)}})


def written(folder: Path, upstream: Upstream, **embed: Any) -> Path:
    server = {"host": "127.0.0.1", "port": free_port(), "drain_seconds": 2.0}
    text = f"[server]\n{table(server)}[auth]\n{table({'admin_key': ADMIN})}[store]\n"
    text += table({"url": f"sqlite+aiosqlite:///{folder / 'ailb.db'}", "patience": 10.0})
    text += f"[vectors]\n{table({'url': str(folder / 'vectors')})}"
    text += f"[embed]\n{table(embed)}{LAYERS}" + provider("a", f"http://127.0.0.1:{upstream.port}/a/v1", ["m-*"], PATIENT)
    text += '[[price]]\nmodel = "*"\ninput = 1000.0\noutput = 1000.0\n'
    file = folder / "config.toml"
    file.write_text(text)
    return file


def command(gateway: Gateway, *words: str) -> list[str]:
    return [sys.executable, "-m", "ailb", "rag", *words, "--url", f"http://127.0.0.1:{gateway.port}", "--user", "ann"]


def rag(gateway: Gateway, *words: str) -> tuple[int, str]:
    """Exit status, and what it said."""
    environ = {**os.environ, "AILB_ADMIN_KEY": ADMIN}
    ran = subprocess.run(command(gateway, *words), capture_output=True, check=False, timeout=50, env=environ, text=True)
    return ran.returncode, ran.stdout + ran.stderr


def meant(gateway: Gateway, question: str) -> str:
    """What is found by its meaning: a machine that was too busy to look for that is asked again."""
    while "by words only: timeout" in (said := rag(gateway, "search", "company", question, "--top", "1")[1]):
        pass
    return said


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "more").mkdir(parents=True)
    (folder / "guide.md").write_text(GUIDE)
    (folder / "more" / "terms.pdf").write_bytes(pdf(["Payment is due at once.", "The court of Vienna decides."], title="Terms"))
    (folder / "faq.html").write_text("<title>FAQ</title><h1>FAQ</h1><h2>Colours</h2><p>The chairs come in red and in blue.</p>")
    return folder


@pytest.fixture(scope="module")
def local(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with started(written(tmp_path_factory.mktemp("local"), upstream, embedder="local")) as gateway:
        yield gateway


def test_files_are_found_by_what_they_mean(local: Gateway, docs: Path) -> None:
    assert (0, "3 taken in\n") == rag(local, "ingest", "company", str(docs))
    assert "all-MiniLM-L6-v2-w8a8" in rag(local, "list")[1]
    for question, answer in (
        ("which hues can I get for seating?", "1. faq.html: FAQ"),
        ("where would a lawsuit be held?", "1. more/terms.pdf, page 1"),  # both pages: neighbours come as one
        ("can I get my money back?", "1. guide.md: Guide"),
    ):
        assert answer in meant(local, question)


def test_changes_are_followed_and_what_is_bad_is_named(local: Gateway, docs: Path) -> None:
    rag(local, "ingest", "changing", str(docs))
    (docs / "faq.html").unlink()
    (docs / "guide.md").write_text("# Guide\n\nNothing is sent back any more.")
    (docs / "bomb.html").write_text("<div>" * 100_000)
    (docs / "bomb.pdf").write_bytes(pdf(["x"], stream=b" " * (200 << 20), flate=True))
    (docs / "secret.txt").write_bytes(os.urandom(1000))
    status, said = rag(local, "ingest", "changing", str(docs))
    assert (1, "1 taken in, 1 unchanged, 1 removed, 3 not readable") == (status, said.splitlines()[0])
    for problem in ("bomb.html: is nested too deeply", "bomb.pdf: is a broken PDF: Limit reached", "secret.txt: is no text"):
        assert problem in said
    assert "Nothing is sent back" in rag(local, "search", "changing", "returns", "--top", "1")[1]


def test_whoever_is_killed_goes_on_where_he_was(local: Gateway, tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number:02}.txt").write_text(f"Document number {number} is about the number {number}. " * 40)
    working = subprocess.Popen(command(local, "ingest", "killed", str(tmp_path)), env={**os.environ, "AILB_ADMIN_KEY": ADMIN})
    path, deadline = "/api/rag/collections/killed/documents", monotonic() + 40
    while not (there := _listed(local, path)) and monotonic() < deadline:
        sleep(0.05)  # There is nothing to wait on in another process.
    working.send_signal(signal.SIGKILL)
    working.wait(10)
    there = _listed(local, path)
    assert 0 < there < 30
    status, said = rag(local, "ingest", "killed", str(tmp_path))
    assert (0, 30) == (status, _listed(local, path)), said
    taken, unchanged = (int(part.split()[0]) for part in said.split(","))
    assert (30, True) == (taken + unchanged, unchanged >= there)


def _listed(gateway: Gateway, path: str) -> int:
    with gateway.client() as client:
        answer = client.get(path, {"authorization": f"Bearer {ADMIN}", "x-user-id": "ann"}).answer()
    return int(answer.json["total"]) if answer.status == 200 else 0


def test_a_providers_vectors_are_bought_once_and_paid_for(upstream: Upstream, tmp_path: Path, docs: Path) -> None:
    model = upstream.on(embeds)
    file = written(tmp_path, upstream, embedder=f"a/{model}")
    with started(file) as gateway:
        secret, _ = new_key(gateway)
        added = {"documents": [{"id": "guide.md", "text": GUIDE}, {"id": "copy.md", "text": GUIDE + "\n"}]}
        api(gateway, "POST", "/api/rag/collections", {"name": "company"}, secret)
        api(gateway, "POST", "/api/rag/collections/company/documents", added, secret)
        assert 1 == len(upstream.calls(model))
        assert (0, "2 taken in, 1 unchanged\n") == rag(gateway, "ingest", "company", str(docs), "--jobs", "2")
        texts = [text for call in upstream.calls(model) for text in call.json["input"]]
        assert len(texts) == len(set(texts))
        assert "guide.md" in rag(gateway, "search", "company", "Parcels", "--top", "1")[1]
        bought = 0.01 * (len(texts) + 1)
        assert pytest.approx(bought) == _spent(gateway, bought)
        rows = api(gateway, "GET", "/api/billing/usage?limit=1000")["data"]
        assert {("ann", "a", model)} == {(row["user_id"], row["provider"], row["model"]) for row in rows}
        assert all(row["request_id"].startswith("emb_") for row in rows)
    assert "differences" in audited(file)


def _spent(gateway: Gateway, expected: float) -> float:
    """Waited for: the ledger settles behind the answer."""
    deadline = monotonic() + 10
    while (spent := float(api(gateway, "GET", "/api/billing/spend")["total_spend"])) < expected * 0.99 and monotonic() < deadline:
        sleep(0.05)  # There is nothing to wait on from out here.
    return spent


def test_who_cannot_pay_has_nothing_embedded(upstream: Upstream, tmp_path: Path) -> None:
    model = upstream.on(embeds)
    with started(written(tmp_path, upstream, embedder=f"a/{model}")) as gateway:
        secret, _ = new_key(gateway)
        api(gateway, "POST", "/api/billing/budget", {"user_id": "ann", "monthly_limit_dollars": 0.001})
        api(gateway, "POST", "/api/rag/collections", {"name": "company"}, secret)
        with pytest.raises(AssertionError, match="Budget exceeded"):
            api(gateway, "POST", "/api/rag/collections/company/documents", {"documents": [{"text": GUIDE}]}, secret)
        assert [] == upstream.calls(model)
