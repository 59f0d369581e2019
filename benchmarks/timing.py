"""`python -m benchmarks.timing`: whether the time that a wrong key takes says how much of it was right.

Keys that begin as a good one does, and keys that are random throughout, are looked up in turns in a store of their own. What is looked up
is a key's SHA-256, so nothing of the beginning should be left; here one can see it.
"""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random
from secrets import token_urlsafe
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from rich.console import Console
from rich.table import Table

from ailb.clock import Clock
from ailb.secret import Secret
from ailb.store.keys import KeyStore, new_secret
from ailb.store.keys_cache import BATCH, BETWEEN_SECONDS
from ailb.store.store import Store
from benchmarks.terminal import warn_if_busy

KEYS = 20_000
"""Of each kind, in batches that one query looks up."""

WRONG = 8
"""Characters at the end that differ from the good key's."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Microseconds a key. `noise` is the median distance of a batch of random keys from their median."""

    near: float
    far: float
    noise: float

    @property
    def noises(self) -> float:
        """The difference in units of the noise."""
        return abs(self.near - self.far) / self.noise if self.noise else 0.0


def compared(near: list[float], far: list[float]) -> Comparison:
    middle = median(far)
    return Comparison(median(near), middle, median(abs(value - middle) for value in far))


def main() -> int:
    console = Console()
    warn_if_busy(console)
    with TemporaryDirectory() as folder:
        found = compared(*asyncio.run(_measured(Path(folder) / "ailb.db")))
    table = Table("wrong keys", "median, µs a key")
    table.add_row(f"right but for the last {WRONG} characters", f"{found.near:.2f}")
    table.add_row("random", f"{found.far:.2f}")
    table.add_row("noise", f"{found.noise:.2f}")
    table.add_row("difference, in noises", f"{found.noises:.2f}")
    console.print(table)
    return 0


async def _measured(file: Path) -> tuple[list[float], list[float]]:
    """Microseconds a key of each batch: of keys that begin like a good one, and of random ones."""
    dice = Random()
    times: tuple[list[float], list[float]] = ([], [])
    async with Store(Secret(f"sqlite+aiosqlite:///{file}"), Clock()) as store:
        good, _ = await store.keys.create("ann", {"name": "good"})
        for _ in range(KEYS // BATCH):
            kinds = [0, 1]
            dice.shuffle(kinds)
            for kind in kinds:
                times[kind].append(await _batch(store.keys, good if kind == 0 else None))
    return times


async def _batch(keys: KeyStore, good: str | None) -> float:
    wrong = [good[:-WRONG] + token_urlsafe(32)[:WRONG] if good else new_secret() for _ in range(BATCH)]
    await asyncio.sleep(2 * BETWEEN_SECONDS)  # then nobody waits for the query before
    began = perf_counter()
    found = await asyncio.gather(*(keys.find(key) for key in wrong))
    seconds = perf_counter() - began
    if any(found):
        raise RuntimeError("a wrong key was taken for a good one")
    return seconds / BATCH * 1e6


if __name__ == "__main__":
    sys.exit(main())
