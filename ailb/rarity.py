"""How well rows have the words of a question: by how rare each is in the rows of one space, how often it comes, and a row's length. Pure.

As in BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009), but no row is compared with the average. An index counts
over all that is in it: there, words weigh what they weigh elsewhere, and scores tell of what others have written.
"""

from collections.abc import Mapping, Sequence
from math import log
from typing import Final

COMMON: Final = 4
"""A word that more than one row in so many has says little, in whatever language, and takes long to look up."""

FEW: Final = 20
"""Rows of which that cannot be said."""

AGAIN: Final = 0.6
"""A word counts 1 ÷ 1.6 the first time, and however often it comes, less than 1. About as much as for PostgreSQL's `ts_rank`."""

EVEN: Final = 5.0
"""The more, the less a row's length counts. XQuAD finds as much, within a percent, with 2, and with 0.9 for `AGAIN`."""

Row = tuple[int, Sequence[str], str]
"""An id, those of the words looked for that an index finds there, and the row's own words with a space between each two."""


def weights(rows: Mapping[str, int], all: int) -> dict[str, float]:
    """Of words with how many rows of `all` have each: those to look for, with what each says. At least one, if any row has any."""
    known = {term: count for term, count in rows.items() if count}
    few = [term for term, count in known.items() if count <= max(all / COMMON, FEW)]
    telling = few or ([min(known, key=known.__getitem__)] if known else [])
    return {term: log(1 + all / known[term]) for term in telling}


def ranked(rows: Sequence[Row], weights: Mapping[str, float], most: int) -> list[tuple[int, float]]:
    """At most so many ids and scores, best first. Scores are above 0."""
    scores = [(id, _score(times(terms, words), weights) / (EVEN + log(1 + len(words)))) for id, terms, words in rows]
    return sorted(scores, key=lambda item: (-item[1], item[0]))[:most]


def times(terms: Sequence[str], words: str) -> dict[str, int]:
    """How often each of the terms is among the words; once for one that is there in another form, which only the index can tell."""
    spaced = f" {words} ".replace(" ", "  ")
    return {term: max(spaced.count(f" {term} "), 1) for term in terms}


def _score(counted: Mapping[str, int], weights: Mapping[str, float]) -> float:
    return sum(weights[term] * count / (count + AGAIN) for term, count in counted.items())
