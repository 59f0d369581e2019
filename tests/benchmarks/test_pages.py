"""The page keeps what a run does not write."""

from pathlib import Path

from benchmarks.pages import put


def test_a_section_is_added_and_replaced_where_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# By hand\n")
    put("one", "first", page)
    put("two", "second", page)
    put("one", "anew\nand longer\n", page)
    assert page.read_text() == (
        "# By hand\n\n<!-- begin: one -->\nanew\nand longer\n<!-- end: one -->\n\n<!-- begin: two -->\nsecond\n<!-- end: two -->\n"
    )


def test_a_page_that_is_not_there_is_made(tmp_path: Path) -> None:
    put("one", r"back\slashes stay", tmp_path / "page.md")
    assert (tmp_path / "page.md").read_text() == "<!-- begin: one -->\nback\\slashes stay\n<!-- end: one -->\n"
