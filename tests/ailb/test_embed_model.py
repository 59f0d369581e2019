import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ailb.embed_files import found
from ailb.embed_local import LocalEmbedder
from ailb.embed_model import Model, saturates

installed = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="ailb[rag] is not installed")
ROOT = Path(__file__).resolve().parents[2]
READER = "import sys, ailb.ingest.worker; from ailb.embed_model import Model; from ailb.embed_files import found; Model(found())"


@installed
async def test_its_vectors_are_those_of_the_embedder() -> None:
    """A passage comes from the reader's, and a question from the gateway's."""
    texts = ["hello", "", "日本語の文章"]
    model = Model(found())
    assert await LocalEmbedder().embed(texts) == [model.embed(text) for text in texts]


@installed
def test_nobody_is_told(tmp_path: Path) -> None:
    """onnxruntime would keep the number of this machine at home, and send it."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", f"{READER}.embed('hello')"], cwd=ROOT, env=environ, check=True)
    assert [] == list(tmp_path.iterdir())


@installed
def test_a_reader_with_its_model_does_without_asyncio() -> None:
    told = f"{READER}; print('asyncio' in sys.modules, 'ssl' in sys.modules, 'onnxruntime' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "False False True\n" == ran.stdout


@pytest.mark.parametrize(
    ("machine", "cpus", "expected"),
    [
        ("x86_64", "flags : fpu avx2 avx512f avx512_vnni", False),
        ("x86_64", "flags : fpu avx2 avx_vnni", False),
        ("x86_64", "flags : fpu avx2 avx512f", True),
        ("AMD64", "", True),
        ("aarch64", "Features : fp asimd", False),
        ("arm64", "", False),
    ],
)
def test_where_sums_end_at_16_bits_they_are_made_otherwise(machine: str, cpus: str, expected: bool) -> None:
    assert expected is saturates(machine, cpus)
