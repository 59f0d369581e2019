"""`python -m benchmarks.layers`: the CPU that `auth`, `ratelimit` and `budget` add to a request, one after the other, with the real store.

One process asks 64 requests at a time, of a key that has limits and a budget, through more and more layers; who answers does so at once. It
is the best of many rounds, in turns, each until all is on disk. What the ledger's thread takes is told apart.
"""

import asyncio
import gc
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time, thread_time

from rich.console import Console
from rich.table import Table

from ailb.chat import completion
from ailb.clock import Clock
from ailb.config import Price
from ailb.exchange import Attempt, Exchange, Outcome, Reply, batches_of
from ailb.identity import Identity
from ailb.models import Models
from ailb.money import NANO
from ailb.prices import PriceList
from ailb.prompt import Prompt
from ailb.secret import Secret
from ailb.server import COLLECT_AFTER
from ailb.stack import Innermost, Layer, Next, stack
from ailb.store.store import Store
from ailb.testing import TARGET
from ailb.testing_money import WordCounter
from ailb.usage import Usage
from middleware.auth import Auth
from middleware.budget import Budget
from middleware.ratelimit import RateLimit

AT_ONCE = 64
ROUND, ROUNDS = 1920, 40
MANY = 1_000_000_000
TERMS = {"name": "bench", "rate_limit_rpm": MANY, "rate_limit_tpm": MANY, "max_parallel": MANY, "quota_nanos": 1_000_000 * NANO}
USAGE = Usage(25, 10)


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds: of the event loop's thread, and of all others."""

    loop: float
    threads: float

    def least(self, other: "Cost") -> "Cost":
        return Cost(min(self.loop, other.loop), min(self.threads, other.threads))

    def more(self, other: "Cost", requests: int) -> "Cost":
        """Than the other, for each request."""
        return Cost((self.loop - other.loop) / requests, (self.threads - other.threads) / requests)


def main() -> int:
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)  # as the server
    table = Table("layer", "event loop, µs", "ledger's thread, µs")
    with TemporaryDirectory() as folder:
        for layer, cost in asyncio.run(measured(Path(folder), ROUNDS, ROUND)).items():
            table.add_row(layer, f"{cost.loop * 1e6:.1f}", f"{cost.threads * 1e6:.1f}")
    Console().print(table)
    return 0


async def measured(folder: Path, rounds: int, requests: int) -> Mapping[str, Cost]:
    """What each layer adds to a request."""
    clock = Clock()
    async with AsyncExitStack() as opened:
        store = await opened.enter_async_context(Store(Secret(f"sqlite+aiosqlite:///{folder}/ailb.db"), clock))
        secret, _ = await store.keys.create("ann", TERMS)
        best: dict[str, Cost] = {}
        onions = _onions(store, clock)
        for _ in range(rounds):
            for name, onion in onions.items():
                cost = await _round(onion, secret, requests, store)
                best[name] = cost.least(best.get(name, cost))
    names = list(onions)
    return {name: best[name].more(best[before], requests) for before, name in pairwise(names)}


def _onions(store: Store, clock: Clock) -> dict[str, Next]:
    """Without a layer, and with one more each."""
    prices = PriceList([Price(model="*", input=2.5, output=10.0)], [], clock)
    models = Models({TARGET.provider: ()}, {TARGET.model: [TARGET]})
    layers: dict[str, Layer] = {
        "auth": Auth(Identity(), models, clock, store.keys),
        "ratelimit": RateLimit(),
        "budget": Budget(store.ledger, prices, WordCounter()),
    }
    innermost = Innermost({TARGET.provider: _answer})
    names = list(layers)
    return {"": innermost, **{name: stack([layers[inner] for inner in names[: place + 1]], innermost) for place, name in enumerate(names)}}


def _asked(secret: str) -> Exchange:
    headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
    body = {"model": TARGET.model, "messages": [{"role": "user", "content": "Say something."}], "max_tokens": 100}
    exchange = Exchange(Prompt(body, headers), id="req_bench", headers=headers, peer="127.0.0.1")
    exchange.target = TARGET
    return exchange


async def _answer(exchange: Exchange, attempt: Attempt) -> Reply:
    event = completion("chatcmpl-bench", TARGET.model, 0, {"content": "Something, then."}, finish="stop", usage=USAGE)
    return Reply(batches_of([event]))


async def _round(onion: Next, secret: str, requests: int, store: Store) -> Cost:
    process, thread = process_time(), thread_time()
    await asyncio.gather(*(_client(onion, secret, requests // AT_ONCE) for _ in range(AT_ONCE)))
    await store.database.catch_up()
    own = thread_time() - thread
    return Cost(own, process_time() - process - own)


async def _client(onion: Next, secret: str, requests: int) -> None:
    """As the edge does it: what an exchange has of itself is taken off it, or Python's collector would have to find it."""
    for _ in range(requests):
        exchange, outcome = _asked(secret), Outcome("complete", 200, 0.0, usage=USAGE)
        reply = await onion(exchange)
        async for _event in reply:
            pass
        exchange.attempt_hooks.clear()
        outcome.seconds = exchange.elapsed
        while exchange.settlers:
            waiting = exchange.settlers.pop()(outcome)
            if waiting is not None:
                await waiting


if __name__ == "__main__":
    sys.exit(main())
