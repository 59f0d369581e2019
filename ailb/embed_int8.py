"""The packaged model, made to compute with 8 bits. Pure: bytes of an ONNX file in, bytes of another one out.

Its file has the weights of all-MiniLM-L6-v2 as 8-bit integers with a scale for each column, and makes floats of them before it multiplies:
50 MB, and all the work of floats. Here the same tensors are put into a graph of onnxruntime's own operators, which bring what they are
given to 8 bits too and multiply integers. There is no mask, since there is only one text at a time. What is large stays in the file, from
where onnxruntime maps it into memory: processes share it.

Sources: https://onnx.ai/onnx/repo-docs/IR.html, onnx/onnx.proto in https://github.com/onnx/onnx,
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from collections.abc import Iterator
from typing import Final

from ailb.protobuf import field, fields

LAYERS: Final = 6
HEADS: Final = 12
EPSILON: Final = 1e-12
INPUTS: Final = ("input_ids", "token_type_ids", "position_ids")
OUTPUT: Final = "last_hidden_state"

_OPSETS: Final = {"": 17, "com.microsoft": 1}
_MICROSOFTS: Final = frozenset({"DynamicQuantizeMatMul", "MatMulIntegerToFloat", "MultiHeadAttention", "Gelu"})
_FLOAT, _UINT8, _INT64 = 1, 2, 7
"""TensorProto.DataType"""

_MOST_INSIDE: Final = 128 * 1024
"""Bytes of a tensor that go into the new model. All that have more are 8-bit integers, which may begin anywhere."""


def computed(model: bytes, file: str) -> bytes:
    """The file's tensors in the graph that computes with 8 bits. Raises ValueError for what is no such file.

    `file` is its name: the new model is of no use without it.
    """
    tensors = dict(_tensors(model, file))
    names = [name.removesuffix("_q") for name in tensors if name.startswith("val_") and name.endswith("_q")]
    matrices = iter(names)  # nameless in the file, but in the order in which they are needed
    if len(names) != 6 * LAYERS:
        raise ValueError("the model has other layers")
    graph = _Graph()
    one, step = graph("Constant", value_float=1.0), graph("Constant", value_float=1 / 127)
    middle = graph("Cast", graph("Constant", value_int=128), to=_UINT8)

    def looked_up(table: str, ids: str) -> str:
        whole = graph("Cast", graph("Gather", f"{table}.weight_q", ids), to=_FLOAT)
        return graph("Mul", whole, graph("Gather", f"{table}.weight_scale", ids))

    def times(state: str, name: str) -> str:
        matrix = next(matrices)
        return graph("DynamicQuantizeMatMul", state, f"{matrix}_q", f"{matrix}_scale", "", f"{name}.bias")

    def times_by_row(state: str, name: str) -> str:
        """For each token by itself: next to one that has something large, all others would come to almost nothing."""
        matrix = next(matrices)
        unit = graph("Mul", graph("ReduceMax", graph("Abs", state), axes=[-1], keepdims=1), step)
        whole = graph("QuantizeLinear", graph("Div", state, unit), one, middle)
        made = graph("MatMulIntegerToFloat", whole, f"{matrix}_q", one, f"{matrix}_scale", middle)
        return graph("Add", graph("Mul", made, unit), f"{name}.bias")

    def normal(name: str, *added: str) -> str:
        return graph("LayerNormalization", graph("Add", *added), f"{name}.weight", f"{name}.bias", axis=-1, epsilon=EPSILON)

    ids, types, places = INPUTS
    at = "inner.embeddings"
    words = graph("Add", looked_up(f"{at}.word_embeddings", ids), graph("Gather", f"{at}.token_type_embeddings.weight", types))
    state = normal(f"{at}.LayerNorm", words, looked_up(f"{at}.position_embeddings", places))
    for layer in range(LAYERS):
        at = f"inner.encoder.layer.{layer}"
        asked, keys, values = (times(state, f"{at}.attention.self.{name}") for name in ("query", "key", "value"))
        heard = graph("MultiHeadAttention", asked, keys, values, num_heads=HEADS)
        state = normal(f"{at}.attention.output.LayerNorm", times(heard, f"{at}.attention.output.dense"), state)
        wide = graph("Gelu", times_by_row(state, f"{at}.intermediate.dense"))
        state = normal(f"{at}.output.LayerNorm", times_by_row(wide, f"{at}.output.dense"), state)
    graph("Identity", state, output=OUTPUT)
    return _model(graph, tensors)


class _Graph:
    """The nodes so far. A call adds one, and tells the name of what comes out of it."""

    def __init__(self) -> None:
        self.nodes: list[bytes] = []
        self.named: set[str] = set()

    def __call__(self, operator: str, *inputs: str, output: str = "", **attributes: int | float | list[int]) -> str:
        """`inputs` that are empty are left out."""
        output = output or f"{operator}-{len(self.nodes)}"
        self.named.update(inputs)
        parts = [field(1, name) for name in inputs] + [field(2, output), field(4, operator)]
        parts += [field(5, _attribute(name, value)) for name, value in attributes.items()]
        if operator in _MICROSOFTS:
            parts.append(field(7, "com.microsoft"))
        self.nodes.append(b"".join(parts))
        return output


def _tensors(model: bytes, file: str) -> Iterator[tuple[str, bytes]]:
    """The names of a file's tensors, and what they are. `graph` is field 7 of a model, `initializer` 5 of a graph."""
    for number, graph, start in fields(model):
        if number == 7 and isinstance(graph, memoryview):
            for kind, tensor, at in fields(graph):
                if kind == 5 and isinstance(tensor, memoryview):
                    yield _tensor(tensor, start + at, file)


def _tensor(tensor: memoryview, start: int, file: str) -> tuple[str, bytes]:
    """`name` is field 8 of it, `raw_data` 9; in place of that `external_data` 13 with `data_location` 14."""
    name, parts = "", []
    for number, value, at in fields(tensor):
        if number == 8 and isinstance(value, memoryview):
            name = str(value, "utf-8")
        if number == 9 and isinstance(value, memoryview) and len(value) > _MOST_INSIDE:
            where = {"location": file, "offset": str(start + at), "length": str(len(value))}
            parts += [field(13, field(1, key) + field(2, told)) for key, told in where.items()] + [field(14, 1)]
        else:
            parts.append(field(number, value))
    return name, b"".join(parts)


def _attribute(name: str, value: int | float | list[int]) -> bytes:
    if isinstance(value, list):
        return b"".join((field(1, name), *(field(8, each) for each in value), field(20, 7)))
    place, kind = (2, 1) if isinstance(value, float) else (3, 2)
    return field(1, name) + field(place, value) + field(20, kind)


def _value(name: str, kind: int) -> bytes:
    """A tensor of this type and of any shape."""
    return field(1, name) + field(2, field(1, field(1, kind)))


def _model(graph: _Graph, tensors: dict[str, bytes]) -> bytes:
    parts = [field(1, node) for node in graph.nodes] + [field(2, "all-MiniLM-L6-v2")]
    parts += [field(5, tensor) for name, tensor in tensors.items() if name in graph.named]
    parts += [field(11, _value(name, _INT64)) for name in INPUTS] + [field(12, _value(OUTPUT, _FLOAT))]
    opsets = [field(8, field(1, domain) + field(2, version)) for domain, version in _OPSETS.items()]
    return b"".join((field(1, 10), *opsets, field(7, b"".join(parts))))
