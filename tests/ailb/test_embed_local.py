import asyncio
import subprocess
import sys
from importlib.util import find_spec
from math import hypot
from pathlib import Path

import pytest

from ailb.embed_files import found
from ailb.embed_local import DIMENSION, LocalEmbedder
from ailb.embedding import Vector
from ailb.errors import ConfigError

pytestmark = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="ailb[rag] is not installed")
OFFLINE = """
import asyncio, sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise SystemExit(f"somebody wants a network: {event}")

from ailb.embed_local import LocalEmbedder
sys.addaudithook(refuse)
print(len(asyncio.run(LocalEmbedder().embed(["hello"]))[0]))
"""
LONG = "The gateway holds the worst case before a request leaves. " * 60


@pytest.fixture(scope="module")
def local() -> LocalEmbedder:
    return LocalEmbedder()


def near(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("text", "similar", "unrelated"),
    [
        ("How do I reset my password?", "I forgot my login credentials and need new ones.", "The soup needs more salt."),
        ("The cat sat on the mat.", "A kitten was lying on the rug.", "Interest rates rose by a quarter point."),
        ("def add(a, b): return a + b", "a function that sums two numbers", "the history of the Roman senate"),
    ],
)
async def test_what_means_the_same_is_nearer(local: LocalEmbedder, text: str, similar: str, unrelated: str) -> None:
    first, second, third = await local.embed([text, similar, unrelated])
    assert near(first, second) > near(first, third) + 0.15


async def test_a_vector_does_not_depend_on_what_is_asked_beside_it(local: LocalEmbedder) -> None:
    texts = ["short", LONG, "日本語の文章", "", "a somewhat longer sentence about nothing in particular"]
    together = await local.embed(texts)
    alone = [(await local.embed([text]))[0] for text in reversed(texts)]
    at_once = await asyncio.gather(*(local.embed([text]) for text in texts))
    assert together == alone[::-1] == [vector for (vector,) in at_once]


async def test_vectors_have_length_1_and_the_dimension_that_was_promised(local: LocalEmbedder) -> None:
    assert DIMENSION == local.dimension
    for vector in await local.embed(["one", LONG]):
        assert pytest.approx(1) == hypot(*vector)
        assert DIMENSION == len(vector)


async def test_what_stands_behind_the_256th_token_is_not_seen(local: LocalEmbedder) -> None:
    first, second = await local.embed([LONG, LONG + "Elephants."])
    assert first == second


async def test_nothing_is_nothing(local: LocalEmbedder) -> None:
    assert [] == await local.embed([])


async def test_it_can_be_ready_at_the_start(tmp_path: Path) -> None:
    files = found()
    (tmp_path / "model.onnx").symlink_to(files.model)
    (tmp_path / "tokenizer.json").symlink_to(files.tokenizer)
    async with LocalEmbedder(model_path=str(tmp_path), preload=True, threads=2) as ready:
        assert DIMENSION == ready.dimension
        assert ready.name.startswith(f"{tmp_path.name}-8199be6f699a")


async def test_a_file_that_has_changed_since_is_told_at_the_start(tmp_path: Path) -> None:
    files = found()
    (tmp_path / "model.onnx").write_bytes(b"first")
    (tmp_path / "tokenizer.json").symlink_to(files.tokenizer)
    late = LocalEmbedder(model_path=str(tmp_path), preload=True)
    (tmp_path / "model.onnx").write_bytes(b"second")
    with pytest.raises(ConfigError, match="SHA-256"):
        async with late:
            raise AssertionError("it was entered")


def test_nobody_wants_a_network() -> None:
    ran = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, check=False, timeout=50)
    assert (b"384\n", b"", 0) == (ran.stdout, ran.stderr, ran.returncode)
