"""One ranking out of two: of words, and of meaning. Pure.

Scores are fused, not ranks: how much better the best is than the next says more than that it is first. Bruch, Gai and Ingber, "An Analysis
of Fusion Functions for Hybrid Retrieval", 2023. Where a model does not know a language, all cosines are alike, and so count for little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from ailb.retrieval import Passage

MARGIN: Final = 0.6
"""By so much a cosine must stand out from the least of those that were found to count as much as the best words. In a language that a
sentence model knows the best one does, about; in another one hardly by half."""

MOST_MERGED: Final = 3
"""Chunks in one passage."""

MOST_CHARACTERS: Final = 3000
"""Of a passage that is made of several."""

LEAST_OVERLAP: Final = 20
"""Characters that end one chunk and begin the next, from which on they are taken for a repetition."""

Ranked = Sequence[tuple[int, float]]


def fused(worded: Ranked, near: Ranked) -> list[tuple[int, float]]:
    """Ids and scores, best first: 1 for the best words, and about as much for the best meaning."""
    best = max((score for _, score in worded), default=0.0)
    scores = {id: score / best if best > 0 else 0.0 for id, score in worded}
    cosines = [cosine for _, cosine in near]
    least = min(cosines) if len(cosines) > 1 else 0.0  # the only one there is stands out from nothing
    unit = max(max(cosines, default=0.0) - least, MARGIN)
    for id, cosine in near:
        scores[id] = scores.get(id, 0.0) + (cosine - least) / unit
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def merged(ranked: Ranked, passages: Mapping[int, tuple[Passage, int]], most: int) -> list[Passage]:
    """At most `most` of them, best first. `passages` by id, each with its number in its document; those that are not in it are not there.

    A text is there once, and neighbours in a document are one passage, in the place of the better one.
    """
    groups: list[_Group] = []
    texts: set[str] = set()
    for id, score in ranked:
        if id not in passages:
            continue
        passage, number = passages[id]
        text = " ".join(passage.text.split())
        if text in texts:
            continue
        group = next((each for each in groups if each.takes(passage, number)), None)
        if group is not None:
            group.parts[number] = passage
        elif len(groups) == most:
            break
        else:
            groups.append(_Group(replace(passage, score=round(score, 6)), number))
        texts.add(text)
    return [group.passage() for group in groups]


class _Group:
    """A passage and its neighbours."""

    def __init__(self, best: Passage, number: int) -> None:
        self._best = best
        self.parts = {number: best}

    def takes(self, passage: Passage, number: int) -> bool:
        same = (passage.document, passage.heading) == (self._best.document, self._best.heading)
        near = number - 1 in self.parts or number + 1 in self.parts
        size = sum(len(part.text) for part in self.parts.values()) + len(passage.text)
        return same and near and len(self.parts) < MOST_MERGED and size <= MOST_CHARACTERS

    def passage(self) -> Passage:
        if len(self.parts) == 1:
            return self._best
        first, *others = (part.text for _, part in sorted(self.parts.items()))
        for text in others:
            first = joined(first, text)
        pages = [part.page for part in self.parts.values() if part.page is not None]
        return replace(self._best, text=first, page=min(pages, default=None))


def joined(before: str, after: str) -> str:
    """Without what both have where they meet."""
    for size in range(min(len(before), len(after)), LEAST_OVERLAP - 1, -1):
        if before.endswith(after[:size]):
            return before + after[size:]
    return f"{before}\n{after}"
