import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.ingest.headings import Paths, headings

GUIDE = """Before.

# Guide

Intro.

## Installing `ailb`

```sh
# not a heading
## neither
```

### From [source](https://example.com)

~~~~
# no
~~~
# still no
~~~~

Setext one
==========

Setext two
---

- a list
---

| a |
---

#no heading
# 日本語 #
"""


def test_headings_are_found_and_what_looks_like_one_is_not() -> None:
    assert [
        (1, "Guide"),
        (2, "Installing ailb"),
        (3, "From source"),
        (1, "Setext one"),
        (2, "Setext two"),
        (1, "日本語"),
    ] == [(heading.level, heading.title) for heading in headings(GUIDE)]


def test_each_begins_where_its_line_does() -> None:
    assert ["# Guide", "## Inst", "### Fro", "Setext ", "Setext ", "# 日本語 #"] == [
        GUIDE[heading.at : heading.at + 7].split("\n")[0] for heading in headings(GUIDE)
    ]


@pytest.mark.parametrize(
    ("mark", "path"),
    [
        ("Before", ""),
        ("Intro", "Guide"),
        ("neither", "Guide > Installing ailb"),
        ("### From", "Guide > Installing ailb > From source"),
        ("still no", "Guide > Installing ailb > From source"),
        ("==", "Setext one"),
        ("a list", "Setext one > Setext two"),
        ("日本語", "日本語"),
    ],
)
def test_the_way_to_a_place(mark: str, path: str) -> None:
    assert path == Paths(headings(GUIDE)).at(GUIDE.index(mark))


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("", []),
        ("#", [1]),
        ("####### seven", []),
        ("    # code", []),
        ("# a\n# b ##  \n   ## c", [1, 1, 2]),
        ("text\n---\n\n---\n", [2]),
        ("```\n# open to the end", []),
        ("``` a`b\n# heading", [1]),
        ("`````\n```\n# no\n`````\n# yes", [1]),
        ("***\n---", []),
    ],
)
def test_odd_ones(text: str, levels: list[int]) -> None:
    assert levels == [heading.level for heading in headings(text)]


LINES = st.lists(st.sampled_from(["# A", "## B", "### C", "###### F", "text", "", "```", "- x"]), max_size=20)


@given(LINES)
def test_a_path_goes_from_the_higher_to_the_lower(lines: list[str]) -> None:
    text = "\n".join(lines)
    found = headings(text)
    paths = Paths(found)
    for place in range(len(text) + 1):
        above = [heading for heading in found if heading.at <= place]
        expected: list[str] = []
        level = 7
        for heading in reversed(above):
            if heading.level < level:
                expected.insert(0, heading.title)
                level = heading.level
        assert " > ".join(expected) == paths.at(place)
