from importlib.util import find_spec
from typing import Any

import pytest

from ailb.embed_files import Files, found
from ailb.embed_int8 import INPUTS, LAYERS, OUTPUT, computed
from ailb.embed_model import Model
from ailb.protobuf import field, fields

pytestmark = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="ailb[rag] is not installed")
TEXTS = ("How do I reset my password?", "The Normans gave their name to Normandy.", "hold", "日本語の文章", "one two three. " * 100)


@pytest.fixture(scope="module")
def packaged() -> Files:
    return found()


@pytest.fixture(scope="module")
def made(packaged: Files) -> bytes:
    return computed(packaged.model.read_bytes(), packaged.model.name)


def inside(message: Any, *path: int) -> list[Any]:
    """All values of the field of a field."""
    if not path:
        return [message]
    return [each for number, value, _ in fields(message) if number == path[0] for each in inside(value, *path[1:])]


def names(message: bytes, *path: int) -> list[str]:
    return [str(value, "utf-8") for value in inside(message, *path)]


def test_its_vectors_are_almost_those_of_floats(packaged: Files) -> None:
    whole = Model(Files("of floats", packaged.model, packaged.tokenizer))
    quick = Model(packaged)
    for text in TEXTS:
        assert 0.99 < sum(a * b for a, b in zip(whole.embed(text), quick.embed(text), strict=True)) < 1


def test_every_matrix_is_multiplied_as_integers(made: bytes) -> None:
    operators = names(made, 7, 1, 4)
    assert 4 * LAYERS == operators.count("DynamicQuantizeMatMul")
    assert 2 * LAYERS == operators.count("MatMulIntegerToFloat")
    assert "MatMul" not in operators


def test_every_name_is_made_once_and_before_it_is_used(made: bytes) -> None:
    known = [*INPUTS, *names(made, 7, 5, 8), ""]
    for node in inside(made, 7, 1):
        assert set(names(node, 1)) <= set(known)
        known += names(node, 2)
    assert len(set(known)) == len(known)
    assert OUTPUT == known[-1]


def test_small_tensors_are_copied_and_large_ones_are_where_it_says(packaged: Files, made: bytes) -> None:
    file = packaged.model.read_bytes()
    before = {name: tensor for tensor in inside(file, 7, 5) for name in names(tensor, 8)}
    outside = 0
    for tensor in inside(made, 7, 5):
        (name,) = names(tensor, 8)
        if where := dict(zip(names(tensor, 13, 1), names(tensor, 13, 2), strict=True)):
            start, length = int(where["offset"]), int(where["length"])
            assert [file[start : start + length]] == inside(before[name], 9)
            assert packaged.model.name == where["location"]
            outside += length
        else:
            assert before[name] == tensor
    assert len(made) < 400_000 < 22_000_000 < outside


def test_no_tensor_is_left_that_nobody_uses(made: bytes) -> None:
    assert set(names(made, 7, 5, 8)) <= set(names(made, 7, 1, 1))


@pytest.mark.parametrize("model", [b"", field(7, b""), field(7, field(5, field(8, "val_1_q"))), b"\xff", field(7, 1), field(7, b"\xff")])
def test_another_model_is_refused(model: bytes) -> None:
    with pytest.raises(ValueError, match=r"layers|no end"):
        computed(model, "model.onnx")
