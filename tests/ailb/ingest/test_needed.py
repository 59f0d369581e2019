import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ailb.ingest.needed import PACKAGES, lacking

WITHOUT = """
import sys
for name in ("bs4", "chromadb", "markdownify", "numpy", "onnxruntime", "pypdf", "semantic_text_splitter", "tokenizers"):
    sys.modules[name] = None
"""
MAIN = f"{WITHOUT}\nfrom ailb.__main__ import main\nsys.exit(main())"
UPLOAD = f"""{WITHOUT}
import asyncio
from ailb.errors import Unavailable
from ailb.ingest.parser import Parser

async def upload():
    async with Parser().document("a.txt", b"text"):
        pass

try:
    asyncio.run(upload())
except Unavailable as problem:
    print(problem.message)
"""
CONFIG = '[[layer]]\nuse = "routing"\n[[provider]]\nname = "echo"\n'


def ran(script: str, *words: str) -> tuple[int, str]:
    """A process without the extra: exit status and what it said."""
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, check=False, timeout=50, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(find_spec("pypdf") is None, reason="ailb[rag] is not installed")
def test_nothing_is_lacking_where_the_extra_is() -> None:
    assert "" == lacking()


def test_without_the_extra_the_gateway_is_what_it_was(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    status, said = ran(MAIN, "check", "--config", str(tmp_path / "config.toml"))
    assert (0, True) == (status, said.endswith("ok\n"))


def test_who_asks_for_the_model_by_name_is_told_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[embed]\nembedder = "local"\n' + CONFIG)
    status, said = ran(MAIN, "check", "--config", str(tmp_path / "config.toml"))
    missing = "numpy and onnxruntime and tokenizers"
    assert (2, f"ailb: [embed].embedder: \"local\" needs {missing}: pip install 'ailb[rag]'\n") == (status, said)


def test_so_is_who_has_documents(tmp_path: Path) -> None:
    told = f"reading documents needs {' and '.join(PACKAGES)}: pip install 'ailb[rag]'\n"
    assert (2, f"ailb: {told}") == ran(MAIN, "rag", "ingest", "manual", str(tmp_path))
    assert (0, told) == ran(UPLOAD)
