"""Texts to fill a collection with, out of real sentences, and what a model would about make of them."""

import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from benchmarks.retrieval_sets import Set

SENTENCES = 6
"""In a passage: some 800 characters."""

_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


def sentences(sets: Sequence[Set]) -> list[str]:
    """All that are neither headings nor fragments, each once."""
    texts = (chunk.text for set in sets for _, _, chunks in set.documents for chunk in chunks)
    found = (" ".join(each.split()) for text in texts for each in _END.split(text))
    return list(dict.fromkeys(each for each in found if 40 <= len(each) <= 300))


def documents(pool: Sequence[str], passages: int, dice: Random) -> Iterator[str]:
    """Without end: texts that make about so many passages, a paragraph each."""
    while True:
        yield "\n\n".join(" ".join(dice.sample(pool, SENTENCES)) for _ in range(passages))


def chunks(pool: Sequence[str], vectors: Sequence[Any], count: int, dice: Random) -> Iterator[dict[str, Any]]:
    """As the gateway takes them: each vector is the middle of its sentences' (numpy arrays), at length 1."""
    for _ in range(count):
        chosen = dice.sample(range(len(pool)), SENTENCES)
        middle = sum(vectors[place] for place in chosen)
        middle = middle / (middle @ middle) ** 0.5
        yield {"text": " ".join(pool[place] for place in chosen), "vector": [round(float(each), 7) for each in middle]}
