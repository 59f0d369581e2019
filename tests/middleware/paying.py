"""What the budget's tests need: providers that follow a script, the onion around them, and what it all came to."""

from collections.abc import Iterator, Sequence
from typing import Any

from ailb.chat import Chunks, completion
from ailb.dialect import Event, Target
from ailb.exchange import Attempt, Exchange, Reply, batches_of
from ailb.health import Healths
from ailb.models import Models
from ailb.prompt import Prompt
from ailb.stack import Innermost, Next
from ailb.testing import Result, StillClock, ask, run
from ailb.testing_money import NANO_RATES, FixedPrices, MemoryLedger, WordCounter
from ailb.tokens import bound
from ailb.usage import Usage
from middleware.budget import Budget
from middleware.routing import Routing

USAGE = Usage(5, 7)
COST = NANO_RATES.cost(USAGE)


def chunks(*texts: str, usage: Usage | None = USAGE, wants: bool = True) -> list[Event]:
    """A whole stream: its role, a chunk for each text, its end, and the usage if there is one."""
    made = Chunks("chatcmpl-1", "m", 0, wants_usage=wants)
    said = [made.delta({"content": text}) for text in texts]
    last = [made.usage(usage)] if usage is not None else []
    return [made.delta({"role": "assistant", "content": ""}), *said, made.delta({}, "stop"), *last]


def whole(text: str, usage: Usage | None = USAGE) -> list[Event]:
    event = completion("chatcmpl-1", "m", 0, {"content": text}, finish="stop", usage=usage or Usage())
    if usage is not None:
        return [event]
    data = {name: value for name, value in event.data.items() if name != "usage"}
    return [Event.whole(data)]


class Scripted:
    """A provider. Each of `attempts` is an error to raise, or the events of a reply, in which an error may stand too."""

    def __init__(self, *attempts: Exception | Sequence[Event | Exception]) -> None:
        self.attempts = list(attempts)
        self.bodies: list[dict[str, Any]] = []
        self.held: list[int] = []
        self.ledger: MemoryLedger | None = None

    async def __call__(self, exchange: Exchange, attempt: Attempt) -> Reply:
        self.bodies.append(dict(attempt.prompt.body))
        if self.ledger is not None:
            self.held.append(len(self.ledger.holds))
        script = self.attempts.pop(0) if len(self.attempts) > 1 else self.attempts[0]
        if isinstance(script, Exception):
            raise script
        return Reply(batches_of(_raising(script)))


def _raising(script: Sequence[Event | Exception]) -> Iterator[Event]:
    for step in script:
        if isinstance(step, Exception):
            raise step
        yield step


class Pessimist(WordCounter):
    """Counts no prompt shorter than its bound."""

    async def count_prompt(self, prompt: Prompt, model: str = "") -> int:
        return bound(prompt, model)


class House:
    """A budget, real routing, and a provider for each name, tried in that order."""

    def __init__(self, ledger: MemoryLedger | None = None, prices: FixedPrices | None = None, /, **providers: Scripted) -> None:
        self.ledger = ledger or MemoryLedger()
        self.prices = prices or FixedPrices()
        self.providers = providers
        for provider in providers.values():
            provider.ledger = self.ledger
        self.counter: WordCounter = WordCounter()
        self.between: list[Any] = []
        self.options: dict[str, Any] = {}

    def layers(self) -> tuple[list[Any], Next]:
        targets = {"m": [Target(name, "m", priority=place) for place, name in enumerate(self.providers)]}
        routing = Routing(
            Models(dict.fromkeys(self.providers, ("m",)), targets), StillClock(), Healths(), self.prices, WordCounter(), strategy="failover"
        )
        budget = Budget(self.ledger, self.prices, self.counter, **self.options)
        return [budget, *self.between, routing], Innermost(self.providers)

    async def serve(self, exchange: Exchange | None = None, *, leave_after: int | None = None) -> Result:
        layers, innermost = self.layers()
        return await run(layers, exchange or asking(), innermost, leave_after=leave_after)

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """Of every charge: provider, status, nano-dollars, estimated."""
        return [(hold.intent.provider, charge.status, charge.nanos, charge.estimated) for hold, charge in self.ledger.charges]

    def check(self, exchange: Exchange) -> None:
        """That nothing leaked and everything adds up."""
        assert {} == self.ledger.holds
        assert self.ledger.spent == sum(charge.nanos for _, charge in self.ledger.charges) == (exchange.cost or 0)
        numbers = [hold.intent.attempt for hold, _ in self.ledger.charges]
        assert len(set(numbers)) == len(numbers)
        assert all(charge.nanos >= 0 and charge.usage.total >= 0 for _, charge in self.ledger.charges)
        assert [attempt.cost for attempt in exchange.attempts] == [charge.nanos for _, charge in self.ledger.charges][
            -len(exchange.attempts) :
        ]


def asking(text: str = "one two three", /, **body: Any) -> Exchange:
    return ask(text, **{"model": "m", "stream": True, "stream_options": {"include_usage": True}, **body})


def prompt_bound(exchange: Exchange) -> int:
    return bound(exchange.prompt, "m")
