"""A sentence model on this machine's processors: onnxruntime, without a network and without telemetry. The reader of documents has it too,
which does without asyncio: that is 5 MB.
"""

import os
import platform
from pathlib import Path
from typing import Any, Final

from ailb.embed_files import PACKAGED, Files
from ailb.embed_int8 import computed
from ailb.embedding import Vector
from ailb.errors import Unavailable
from ailb.heap import give_back

MOST_TOKENS: Final = 256
"""Of a text; the model was trained with no more, and what stands behind them is not seen.
Source: https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2"""

CPUS: Final = Path("/proc/cpuinfo")
SLOWER: Final = ["SkipLayerNormFusion"]
"""What onnxruntime makes of two operators and takes ten times as long for."""


class Model:
    """A loaded model. Threads may share it. It is asked for one text at a time: in a batch, short texts are as dear as the longest one, and
    on a processor nothing is won by it.
    """

    def __init__(self, files: Files) -> None:
        """Takes a tenth of a second. The packaged model computes with 8 bits, any other one as its file says.

        Raises ConfigError for files that are not what they should be.
        """
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # looked at when it is loaded: it would tell Microsoft, whatever is asked of it later
        import onnxruntime  # type: ignore[import-untyped] # it brings no types
        from tokenizers import Tokenizer

        files.check()
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.enable_cpu_mem_arena = False  # which never gives back what the longest text took
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if saturates(platform.machine(), _text(CPUS)):
            options.add_session_config_entry("session.x64quantprecision", "1")
        model: bytes | str = str(files.model)
        if files.name == PACKAGED:
            file = files.model.resolve()
            model = computed(file.read_bytes(), file.name)
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(file.parent))
        self._session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOWER)
        self._names = {given.name for given in self._session.get_inputs()}
        self._tokenizer: Any = Tokenizer.from_file(str(files.tokenizer))
        self._tokenizer.enable_truncation(MOST_TOKENS)
        self._tokenizer.no_padding()
        give_back()

    def embed(self, text: str) -> Vector:
        """The mean of what the model makes of each token, at length 1. Raises Unavailable where that is no vector."""
        import numpy

        encoded = self._tokenizer.encode(text)
        ids = numpy.array([encoded.ids], dtype=numpy.int64)
        given = {"input_ids": ids, "attention_mask": numpy.ones_like(ids), "token_type_ids": numpy.zeros_like(ids)}
        given["position_ids"] = numpy.arange(ids.size).reshape(ids.shape)
        (states, *_) = self._session.run(None, {name: value for name, value in given.items() if name in self._names})
        mean = states[0].mean(axis=0, dtype=numpy.float64)
        length = float(numpy.linalg.norm(mean))
        if not (0 < length < float("inf")):
            raise Unavailable("the local model made no vector of a text")
        vector: list[float] = (mean / length).tolist()
        return vector


def saturates(machine: str, cpus: str) -> bool:
    """Whether the sum of two products of 8 bits ends at 16 here, as on x86 without VNNI: the cosine to the right vector was 0.99 then.
    With the precise mode it is the same vector, for twice the time. `cpus` is what Linux tells; nobody knows where that is nothing.
    """
    return machine.lower() in ("x86_64", "amd64") and "vnni" not in cpus


def _text(path: Path) -> str:
    """Empty where there is no such file."""
    try:
        return path.read_text()
    except OSError:
        return ""
