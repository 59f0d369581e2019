import pytest

from ailb.commands.rag_gateway import COLLECTIONS, Gateway, collection, documents
from ailb.errors import BadRequest, Forbidden, NotFound, Refusal, Unavailable
from tests.ailb.commands.library import Library, serving
from tests.ailb.commands.test_explain_asked import gateway


def test_what_it_says_is_read_and_who_asks_is_told() -> None:
    with serving(Library()) as library:
        asked = Gateway(library.url, key="secret", user="ann")
        assert "manual" == asked.ask("POST", COLLECTIONS, {"name": "manual"})["name"]
        assert {} == asked.ask("DELETE", collection("manual"))
    assert ("Bearer secret", "ann") == (library.headers[0]["authorization"], library.headers[0]["x-user-id"])


def test_without_a_key_and_a_user_none_is_sent() -> None:
    with serving(Library()) as library:
        Gateway(library.url.removeprefix("http://")).ask("GET", COLLECTIONS)
    assert {"authorization", "x-user-id"}.isdisjoint(library.headers[0])


def test_a_list_is_read_to_its_end() -> None:
    with serving(Library()) as library:
        library.collections["a"] = {}
        library.documents = {str(number): {"id": str(number)} for number in range(5)}
        found = Gateway(library.url).all(documents("a"), "documents")
    assert ["0", "1", "2", "3", "4"] == [one["id"] for one in found]


def test_names_are_quoted_and_folders_stay() -> None:
    assert "/api/rag/collections/a%2Fb/documents/c%20d/e%3F.md" == documents("a/b", "c d/e?.md")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadRequest),
        (401, Forbidden),
        (403, Forbidden),
        (404, NotFound),
        (409, BadRequest),
        (413, BadRequest),
        (408, Unavailable),
        (429, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_what_it_refuses_is_told(status: int, error: type[Refusal]) -> None:
    with gateway(b'{"detail": "why not"}', status) as (where, _), pytest.raises(error, match="why not"):
        Gateway(where).ask("POST", COLLECTIONS, {})


@pytest.mark.parametrize(("answer", "status"), [(b"<html>", 502), (b"[]", 200), (b"not json", 200)])
def test_what_is_no_gateway_is_told(answer: bytes, status: int) -> None:
    with gateway(answer, status) as (where, _), pytest.raises(Unavailable, match=f"answers {status}, which is no gateway's answer"):
        Gateway(where).ask("POST", COLLECTIONS, {})


def test_nobody_there_is_told() -> None:
    with serving(Library()) as library:
        url = library.url
    with pytest.raises(Unavailable, match="does not answer"):
        Gateway(url).ask("GET", COLLECTIONS)
