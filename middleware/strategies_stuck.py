"""The same target again for the same key: of a session, of a prompt's beginning, of a canary's caller. Pure and without state.

Weighted rendezvous hashing: every target draws a number by the key and its own name, and the highest has it. All processes agree, and
when a target goes or comes only the keys that it had, or gets, move. Sources: Thaler and Ravishankar, "A name-based mapping scheme for
rendezvous", 1996; the weights, -w / ln(h): Resch, "New hashing algorithms for data storage", SNIA 2015. Bounded: Mirrokni, Thorup and
Zadimoghaddam, "Consistent hashing with bounded loads", 2016.
"""

from hashlib import blake2b
from math import log
from zlib import crc32

from ailb.dialect import Target
from ailb.strategy import Ranking

BOUND = 1.25
"""How many times its share of the requests in flight a target may have, and one more, before its keys go to the next."""

MASK = (1 << 64) - 1


def stuck(ranking: Ranking, key: bytes, *, bound: float = BOUND) -> Ranking:
    """`ranking` with the key's own target in front, each with the score that it had. Keys are spread by weight."""
    if len(ranking) == 1:
        return list(ranking)
    seed = int.from_bytes(blake2b(key, digest_size=8).digest(), "big")
    in_flight, weight = 1, 0.0
    for _, health in ranking:
        in_flight += health.in_flight
        weight += health.target.weight
    allowed = bound * in_flight / weight
    best, chosen = 0.0, 0
    for place, (_, health) in enumerate(ranking):
        target = health.target
        if health.in_flight <= allowed * target.weight + 1:
            score = -target.weight / log(drawn(seed, target))
            if score > best:
                best, chosen = score, place
    return [ranking[chosen], *ranking[:chosen], *ranking[chosen + 1 :]]


def drawn(seed: int, target: Target) -> float:
    """Between 0 and 1, both excluded, evenly; the same everywhere.

    SplitMix64's finalizer (Steele, Lea and Flood, 2014), because one good hash a request is enough and Python's are slow or salted.
    """
    name = f"{target.provider}\0{target.model}\0{target.credential}"
    mixed = (seed + crc32(name.encode()) * 0x9E3779B97F4A7C15) & MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return (((mixed ^ (mixed >> 31)) >> 12) + 0.5) / (1 << 52)
