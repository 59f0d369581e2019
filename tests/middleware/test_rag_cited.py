import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.retrieval import Passage
from middleware.rag_cited import CITATION, MOST_UNKNOWN, annotations, unknown

PAGE = Passage("c1", "d1", "text", title="Handbook", source="https://example.com/h")
FILE = Passage("c2", "d2", "text", source="files/h.pdf")
BARE = Passage("c3", "d3", "text")


def test_a_web_page_is_cited_in_openais_shape() -> None:
    text = "Thirty days [1]."
    (made,) = annotations(text, [PAGE])
    citation = {"start_index": 12, "end_index": 15, "url": "https://example.com/h", "title": "Handbook"}
    assert {"type": "url_citation", "url_citation": citation} == made
    assert "[1]" == text[12:15]


def test_what_is_no_web_page_is_a_file() -> None:
    assert [
        {"type": "file_citation", "file_id": "d2", "filename": "files/h.pdf", "index": 0},
        {"type": "file_citation", "file_id": "d3", "filename": "d3", "index": 3},
    ] == annotations("[1][2]", [FILE, BARE])


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("http://example.com", "url_citation"),
        ("HTTPS://example.com/a?b#c", "url_citation"),
        ("javascript:alert(1)", "file_citation"),
        ("https://", "file_citation"),
        ("https://example.com/a b", "file_citation"),
        ('https://example.com/"onload=', "file_citation"),
        ("see https://example.com", "file_citation"),
        ("https://example.com/" + "a" * 2000, "file_citation"),
    ],
)
def test_only_an_address_is_an_address(source: str, kind: str) -> None:
    assert [kind] == [made["type"] for made in annotations("[1]", [Passage("c", "d", "t", source=source)])]


@pytest.mark.parametrize(
    ("text", "cited", "wrong"),
    [
        ("nothing", [], []),
        ("", [], []),
        ("a[1] b [2][1]", [1, 2, 1], []),
        ("[1, 2] and [2,3]", [1, 2, 2], [3]),
        ("[3] [9] [3] [0]", [], [0, 3, 9]),
        ("[01]", [1], []),
        ("[1234] [ 1 ] [x] [-1] [1.5] [１] [¹] [1\u200b] [1;2] [1,  2]", [], []),
        ("use `a[1]` or\n```\nb[2]\nc[7]\n``` as [1]", [1], []),
        ("```\nb[2] never closed", [], []),
        ("an odd ` tick [1]\n and ` another [2]", [1, 2], []),
        ("[[1]] [1](https://elsewhere.example)", [1, 1], []),
    ],
)
def test_what_is_a_citation(text: str, cited: list[int], wrong: list[int]) -> None:
    sources = [Passage("c", str(number), "t") for number in (1, 2)]
    assert (cited, wrong) == ([int(made["file_id"]) for made in annotations(text, sources)], unknown(text, 2))


def test_of_many_unknown_numbers_the_lowest_are_told() -> None:
    assert list(range(2, 2 + MOST_UNKNOWN)) == unknown("".join(f"[{number}]" for number in range(900, 0, -1)), 1)


@given(
    st.lists(st.text(max_size=5) | st.sampled_from(["[1]", "[2, 1]", "[5]", "[１]", "`", "```", "👩‍👧", "\n"]), max_size=30).map("".join)
)
def test_every_annotation_is_where_it_says_and_of_a_source_that_there_is(text: str) -> None:
    for made in annotations(text, [PAGE, PAGE]):
        place = made["url_citation"]
        match = CITATION.fullmatch(text[place["start_index"] : place["end_index"]])
        assert match is not None
        assert {"1", "2"} & set(match[1].split(", "))
    assert not {1, 2} & set(unknown(text, 2))
