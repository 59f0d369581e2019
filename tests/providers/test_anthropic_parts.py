"""Content parts as blocks."""

import base64
from typing import Any

import pytest

from ailb.errors import BadRequest
from providers.anthropic_parts import blocks, marked

PNG = base64.b64encode(b"\x89PNG").decode()
PDF = base64.b64encode(b"%PDF-1.7").decode()
MARK = {"type": "ephemeral"}


def image(media: str, data: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": media, "data": data}}


def document(**source: str) -> dict[str, Any]:
    return {"type": "document", "source": source}


PDF_BLOCK = document(type="base64", media_type="application/pdf", data=PDF)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "text", "text": "a"}, {"type": "text", "text": "a"}),
        ({"type": "text", "text": "a", "cache_control": MARK}, {"type": "text", "text": "a", "cache_control": MARK}),
        ({"type": "refusal", "refusal": "no"}, {"type": "text", "text": "no"}),
        ("a", {"type": "text", "text": "a"}),
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}, image("image/png", PNG)),
        ({"type": "image_url", "image_url": f"data:image/jpg;base64,{PNG}"}, image("image/jpeg", PNG)),
        ({"type": "image_url", "image_url": {"url": "data:image/gif,a%62"}}, image("image/gif", base64.b64encode(b"ab").decode())),
        (
            {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
            {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
        ),
        ({"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}"}}, PDF_BLOCK),
        ({"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}}, {**PDF_BLOCK, "title": "a.pdf"}),
        ({"type": "file", "file": {"file_data": f"data:image/png;base64,{PNG}"}}, image("image/png", PNG)),
        ({"type": "file", "file": {"file_data": "data:text/plain,hi"}}, document(type="text", media_type="text/plain", data="hi")),
        ({"type": "file", "file": {"file_data": "https://a.example/b.pdf"}}, document(type="url", url="https://a.example/b.pdf")),
        ({"type": "file", "file": {"file_id": "file_1"}}, document(type="file", file_id="file_1")),
        ({"type": "search_result", "source": "s", "new": 1}, {"type": "search_result", "source": "s", "new": 1}),
    ],
)
def test_a_part_becomes_a_block(part: Any, expected: Any) -> None:
    assert [expected] == blocks([part], "content")


@pytest.mark.parametrize("content", [None, "", " \n", [], [{"type": "text", "text": " "}]])
def test_nothing_becomes_no_block(content: Any) -> None:
    assert blocks(content, "content") == []


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (7, "content[0]"),
        ({}, "content[0].type"),
        ({"type": "text"}, "content[0].text"),
        ({"type": "input_audio", "input_audio": {}}, "content[0].type"),
        ({"type": "image_url", "image_url": {}}, "content[0].image_url.url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,***"}}, "content[0].image_url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png"}}, "content[0].image_url"),
        ({"type": "file"}, "content[0].file"),
        ({"type": "file", "file": {}}, "content[0].file"),
        ({"type": "file", "file": {"file_data": "data:application/zip;base64,AAAA"}}, "content[0].file"),
    ],
)
def test_a_part_that_cannot_be_sent_is_named(part: Any, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        blocks([part], "content")
    assert param == refused.value.param


def test_a_content_of_another_type_is_named() -> None:
    with pytest.raises(BadRequest) as refused:
        blocks(7, "messages[0].content")
    assert refused.value.param == "messages[0].content"


def test_the_mark_of_a_message_goes_to_its_last_block() -> None:
    two = blocks(["a", "b"], "content")
    assert [two[0], {**two[1], "cache_control": MARK}] == marked(two, {"cache_control": MARK})
    assert two == marked(two, {})
    assert marked([], {"cache_control": MARK}) == []
