from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

if find_spec("semantic_text_splitter") is None:
    pytest.skip("ailb[rag] is not installed", allow_module_level=True)

from ailb.ingest.chunk import MOST_HEADING, Chunk, cut, embedded
from ailb.ingest.headings import Paths, headings
from ailb.ingest.limits import Limits, Unreadable
from ailb.ingest.parse import Parsed, Part

SMALL = Limits(chunk=80, overlap=20)


def made(text: str, limits: Limits = SMALL, *, marked: bool = True) -> list[tuple[str, str]]:
    """Heading and text of each."""
    return [(chunk.heading, chunk.text) for chunk in cut("a.md", Parsed("a", (Part(text, marked),)), limits)]


GOLDEN = [
    pytest.param("", [], id="empty"),
    pytest.param(" \n\n ", [], id="white space"),
    pytest.param("One line.", [("", "One line.")], id="one line"),
    pytest.param(
        "# Guide\n\nShort.\n\n"
        "## Install\n\nRun the installer and wait until it has finished, which takes a minute.\n\n## Use\n\nJust use it.",
        [
            ("Guide", "# Guide\n\nShort."),
            ("Guide > Install", "Run the installer and wait until it has finished, which takes a minute."),
            ("Guide > Use", "## Use\n\nJust use it."),
        ],
        id="nested headings",
    ),
    pytest.param(
        "## Code\n\n```python\n# comment, no heading\nfirst = 1\nsecond = 2\nthird = first + second\nprint(third)\n```\n\nAfter.",
        [
            ("Code", "```python"),
            ("Code", "# comment, no heading\nfirst = 1\nsecond = 2\nthird = first + second\nprint(third)"),
            ("Code", "```\n\nAfter."),
        ],
        id="a fence that is too long",
    ),
    pytest.param(
        "# T\n\n| name | use |\n|---|---|\n| a | first of the rows |\n| b | second of the rows |\n| c | third of the rows |\n",
        [
            ("T", "| name | use |\n|---|---|\n| a | first of the rows |\n| b | second of the rows |"),
            ("T", "| c | third of the rows |"),
        ],
        id="a table",
    ),
    pytest.param(
        "# 手引き\n\n" + "これは長い文章です。" * 10,
        [("手引き", "これは長い文章です。" * 8), ("手引き", "これは長い文章です。" * 4)],
        id="CJK",
    ),
    pytest.param("text\n\n# The end", [("", "text\n\n# The end")], id="a heading at the end"),
]


@pytest.mark.parametrize(("text", "expected"), GOLDEN)
def test_text_is_cut_where_its_structure_allows_it(text: str, expected: list[tuple[str, str]]) -> None:
    assert expected == made(text)


def test_plain_text_has_no_headings() -> None:
    assert [("", "# not one")] == made("# not one", marked=False)


def test_a_heading_is_not_lost_where_nothing_stands_under_it() -> None:
    text = "# A\n\n" + "## B " + "b" * 60 + "\n\n# C\n\n" + "word " * 16
    assert any("## B" in chunk for _, chunk in made(text))


def test_pages_are_cut_each_for_itself() -> None:
    parsed = Parsed("a", (Part("first page", False, 1), Part("second page", False, 2)))
    assert [Chunk("first page", "", 1), Chunk("second page", "", 2)] == cut("a.pdf", parsed, SMALL)


def test_too_many_passages_are_refused() -> None:
    with pytest.raises(Unreadable, match=r"a\.md: makes more than 3 passages"):
        made("word " * 200, Limits(chunk=80, overlap=0, chunks=3))


def test_a_model_is_given_the_heading_too() -> None:
    assert "Guide > Use\n\nJust use it." == Chunk("Just use it.", "Guide > Use").embedded
    assert "Just use it." == Chunk("Just use it.").embedded
    assert len("x") + 2 + MOST_HEADING == len(embedded("h" * 1000, "x"))


LINES = st.sampled_from(
    [
        "> quote",
        "# One",
        "## Two",
        "### 三",
        "word " * 9,
        "x" * 150,
        "",
        "```",
        "~~~",
        "| a | b |",
        "|---|---|",
        "- item",
        "  - inner",
        "日本語。" * 30,
    ]
)
TEXTS = st.one_of(st.lists(LINES, max_size=25).map("\n".join), st.text(max_size=400))


@given(TEXTS, st.booleans())
def test_passages_cover_the_text_and_none_is_too_long(text: str, marked: bool) -> None:
    chunks = made(text, marked=marked)
    assert all(0 < len(chunk) <= SMALL.chunk for _, chunk in chunks)
    place = 0
    told = {heading.at for heading in headings(text)} if marked else set()
    for _, chunk in chunks:
        at = text.find(chunk, max(0, place - SMALL.overlap, place - len(chunk) + 1))
        assert at >= 0
        assert _only_headings(text, place, at, told)
        place = max(place, at + len(chunk))
    assert _only_headings(text, place, len(text), told)


@given(TEXTS)
def test_each_stands_under_its_heading(text: str) -> None:
    paths = Paths(headings(text))
    known = {paths.at(place) for place in range(len(text) + 1)} | {""}
    assert {heading for heading, _ in made(text)} <= known


def _only_headings(text: str, start: int, end: int, told: set[int]) -> bool:
    """Whether what was left out is white space, and lines that are headings."""
    gap = text[start:end]
    return not gap.strip() or all(not line.strip() or any(line.strip() in text[at:] for at in told) for line in gap.split("\n"))
