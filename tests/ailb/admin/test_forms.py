from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.admin.forms import File, files
from ailb.errors import BadRequest

TYPE = "multipart/form-data; boundary=xyz"


def form(*parts: tuple[str, bytes], boundary: str = "xyz") -> bytes:
    """`parts` are headers and contents."""
    made = b"".join(b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary.encode(), head.encode(), content) for head, content in parts)
    return made + f"--{boundary}--\r\n".encode()


def head(name: str, type: str = "") -> str:
    return f'Content-Disposition: form-data; name="f"; filename="{name}"' + (f"\r\nContent-Type: {type}" if type else "")


def test_files_come_in_their_order_with_their_types() -> None:
    body = b"preamble\r\n" + form((head("a.txt", "text/plain"), b"one\r\ntwo"), (head("b.pdf"), b"\0\xff--xyz\r\n"))
    assert [File("a.txt", "text/plain", b"one\r\ntwo"), File("b.pdf", "", b"\0\xff--xyz\r\n")] == files(TYPE, body, most=2)


@pytest.mark.parametrize("type", ['multipart/form-data; boundary="x y"', "multipart/form-data;charset=utf-8; Boundary=xyz"])
def test_boundaries_may_be_quoted(type: str) -> None:
    assert 1 == len(files(type, form((head("a"), b"x"), boundary="x y" if '"' in type else "xyz"), most=2))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\docs\\a.txt", "a.txt"),
        ("/tmp/ü.md", "ü.md"),
        ('say \\"hi\\".txt', 'say "hi".txt'),
        ("%22a%22.txt", '"a".txt'),
    ],
)
def test_a_files_name_has_no_folders(given: str, name: str) -> None:
    assert [name] == [file.name for file in files(TYPE, form((head(given), b"x")), most=1)]


def test_a_name_may_stand_without_quotes() -> None:
    assert ["a.txt"] == [file.name for file in files(TYPE, form(("content-disposition: form-data; filename=a.txt; name=f", b"x")), most=1)]


@pytest.mark.parametrize(
    ("type", "body", "problem"),
    [
        ("multipart/form-data", form((head("a"), b"x")), "no boundary"),
        (TYPE, b"", "last boundary is missing"),
        (TYPE, form((head("a"), b"x"))[:-8], "last boundary is missing"),
        (TYPE, b"--xyz--\r\n", "no file"),
        (TYPE, form(('Content-Disposition: form-data; name="title"', b"x")), "title: is no file"),
        (TYPE, form((head(""), b"x")), "is no file"),
        (TYPE, form((head("dir/"), b"x")), "is no file"),
        (TYPE, form((head("a") + "x" * 5000, b"x")), "no headers, or too many"),
        (TYPE, b"--xyz\r\nno headers\r\n--xyz--\r\n", "no headers"),
        (TYPE, b"--xyzz\r\n\r\nx\r\n--xyz--\r\n", "behind a boundary"),
        (TYPE, form(*((head("a"), b"x") for _ in range(3))), "more than 2 files"),
        (TYPE, form(*((head("a"), b"x") for _ in range(9))), "more than 2 files"),
    ],
)
def test_what_is_no_form_is_refused(type: str, body: bytes, problem: str) -> None:
    with pytest.raises(BadRequest, match=problem):
        files(type, body, most=2)


@given(st.lists(st.binary(max_size=60).filter(lambda content: b"--xyz" not in content), min_size=1, max_size=5))
def test_whatever_is_in_a_file_comes_out_as_it_was(contents: Sequence[bytes]) -> None:
    body = form(*((head(f"{number}.txt"), content) for number, content in enumerate(contents)))
    assert contents == [file.content for file in files(TYPE, body, most=5)]


@given(st.binary(max_size=200))
def test_no_body_is_a_bug(body: bytes) -> None:
    try:
        assert files(TYPE, body, most=2)
    except BadRequest as refusal:
        assert refusal.message
