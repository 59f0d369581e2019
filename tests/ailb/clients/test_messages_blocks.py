"""Content blocks as chat parts."""

import pytest

from ailb.clients.messages_blocks import content, listed, parts
from ailb.errors import BadRequest
from tests.ailb.clients.chats import Json

PNG = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
LINK = {"type": "url", "url": "https://a.example/x"}


def text(text: str) -> Json:
    return {"type": "text", "text": text}


def image(url: str) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


def file(name: str, data: str) -> Json:
    return {"type": "file", "file": {"filename": name, "file_data": data}}


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({**text("a"), "cache_control": {"type": "ephemeral"}, "citations": []}, [text("a")]),
        (text(""), []),
        ({"type": "image", "source": PNG}, [image("data:image/png;base64,AAAA")]),
        ({"type": "image", "source": LINK}, [image("https://a.example/x")]),
        (
            {"type": "document", "source": {**PNG, "media_type": "application/pdf"}, "title": "a.pdf", "citations": {"enabled": True}},
            [file("a.pdf", "data:application/pdf;base64,AAAA")],
        ),
        ({"type": "document", "source": LINK}, [file("document.pdf", "https://a.example/x")]),
        ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}}, [text("d")]),
        ({"type": "document", "title": "t", "context": "c", "source": {"type": "text", "data": "d"}}, [text("t\nc"), text("d")]),
        ({"type": "document", "title": None, "source": {"type": "content", "content": "d"}}, [text("d")]),
        (
            {"type": "document", "source": {"type": "content", "content": [text("d"), {"type": "image", "source": LINK}]}},
            [text("d"), image("https://a.example/x")],
        ),
        ({"type": "search_result", "title": "t", "source": "s", "content": [text("a"), text("b")]}, [text("t\ns"), text("a"), text("b")]),
        ({"type": "tool_reference", "tool_name": "f"}, [text("f")]),
    ],
)
def test_blocks(block: Json, expected: list[Json]) -> None:
    assert expected == parts(block, "here")


@pytest.mark.parametrize(
    ("block", "param"),
    [
        ({}, "here.type"),
        ({"type": "container_upload", "file_id": "f"}, "here.type"),
        ({"type": ["text"]}, "here.type"),
        ({"type": "text"}, "here.text"),
        ({"type": "text", "text": 1}, "here.text"),
        ({"type": "image"}, "here.source"),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, "here.source.type"),
        ({"type": "image", "source": {"type": "url"}}, "here.source.url"),
        ({"type": "image", "source": {"type": "base64", "data": "A"}}, "here.source.media_type"),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, "here.source.type"),
        ({"type": "document", "source": {"type": "text"}}, "here.source.data"),
        ({"type": "document", "source": {"type": "content", "content": [{"type": "x"}]}}, "here.source.content[0].type"),
        ({"type": "search_result", "content": 1}, "here.content"),
    ],
)
def test_what_a_chat_cannot_have_is_named(block: Json, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parts(block, "here")
    assert param == refused.value.param


def test_text_alone_is_one_text() -> None:
    assert "" == content([])
    assert "a\n\nb" == content([text("a"), text("b")])
    assert [text("a"), image("u")] == content([text("a"), image("u")])


def test_blocks_know_their_places() -> None:
    assert [] == listed(None, "here")
    assert [(text("a"), "here")] == listed("a", "here")
    assert [(text("a"), "here[0]"), (text("b"), "here[1]")] == listed([text("a"), text("b")], "here")


@pytest.mark.parametrize(("given", "param"), [(1, "here"), ({"type": "text"}, "here"), ([text("a"), "b"], "here[1]")])
def test_what_is_no_content_is_named(given: object, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        listed(given, "here")
    assert param == refused.value.param
