"""The content of a message: one text, and images beside it."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.errors import BadRequest
from providers.ollama_parts import flat
from tests.providers.ollama_wire import Json


def text(value: str) -> Json:
    return {"type": "text", "text": value}


def image(url: Any) -> Json:
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, ("", [])),
        ("x", ("x", [])),
        ([], ("", [])),
        ([text("a"), text("b")], ("a\nb", [])),
        ([{"type": "refusal", "refusal": "no"}, {"type": "output_text", "text": "x"}], ("no\nx", [])),
        ([text("a"), image("data:image/png;base64,iVBORw0K"), text("b")], ("a\nb", ["iVBORw0K"])),
        ([image("data:image/jpeg;base64,/9j/"), image("data:;base64,AAAA")], ("", ["/9j/", "AAAA"])),
        ([{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}], ("", ["AAAA"])),
        ([image("data:image/svg+xml,%3Csvg/%3E")], ("", ["PHN2Zy8+"])),
    ],
)
def test_content(content: Any, expected: tuple[str, list[str]]) -> None:
    assert expected == flat(content, "messages[0].content")


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (image("https://example.com/a.png"), "image_url"),
        (image(None), "image_url"),
        (image("data:image/png;base64,"), "image_url"),
        (image("data:image/png;base64,A"), "image_url"),
        (image("data:image/png;base64,A A?"), "image_url"),
        (image("data:application/pdf;base64,AAAA"), "image_url"),
        ({"type": "image_url"}, "image_url"),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}, "type"),
        ({"type": "input_audio", "input_audio": {}}, "type"),
        ({"type": ["text"]}, "type"),
        ({"text": "x"}, "type"),
        ("x", "type"),
        ({"type": "text", "text": 5}, "text"),
    ],
)
def test_what_ollama_does_not_take_is_named(part: Any, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        flat([text("a"), part], "messages[0].content")
    assert f"messages[0].content[1].{param}" == refused.value.param


@given(st.lists(st.binary(min_size=1)))
def test_images_survive(images: list[bytes]) -> None:
    _, made = flat([image(f"data:image/png;base64,{base64.b64encode(data).decode()}") for data in images], "c")
    assert images == [base64.b64decode(data) for data in made]
