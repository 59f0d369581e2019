"""What the test of a layer needs that is about money: a ledger in memory, prices that stand still, a counter that counts words."""

import asyncio
from collections.abc import Awaitable

from ailb.dialect import Target
from ailb.errors import BudgetExceeded, Refusal, Unpriced
from ailb.ledger import Charge, Hold, Intent, Preview, Standing
from ailb.prompt import Prompt
from ailb.rates import Rates

NANO_RATES = Rates(input=1_000_000, output=2_000_000)
"""One nano-dollar for an input token, two for an output token."""


class MemoryLedger:
    """One budget over everything, which decides as the real ledger does; None: no such limit.

    `spent` and `held` are nano-dollars. `holds` are the open ones, `charges` every hold with what was charged for it.
    """

    def __init__(self, limit: int | None = None, *, tokens: int | None = None, scope: str = "key", soft: float = 0.8) -> None:
        self.limit = limit
        self.limit_tokens = tokens
        self.scope = scope
        self.soft = soft
        self.spent = self.spent_tokens = 0
        self.holds: dict[str, Hold] = {}
        self.charges: list[tuple[Hold, Charge]] = []
        self._made = 0

    @property
    def held(self) -> int:
        return sum(hold.nanos for hold in self.holds.values())

    @property
    def held_tokens(self) -> int:
        return sum(hold.tokens for hold in self.holds.values())

    @property
    def left(self) -> int | None:
        return None if self.limit is None else self.limit - self.spent - self.held

    @property
    def left_tokens(self) -> int | None:
        return None if self.limit_tokens is None else self.limit_tokens - self.spent_tokens - self.held_tokens

    async def hold(self, intent: Intent) -> Hold:
        hold = self._hold(intent)
        self.holds[hold.id] = hold
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            del self.holds[hold.id]
            raise
        return Hold(hold.id, intent, hold.nanos, hold.tokens, hold.output_tokens, self._standings())

    async def preview(self, intent: Intent) -> Preview:
        try:
            hold = self._hold(intent)
        except Refusal as refusal:
            return Preview(Hold("", intent, 0, 0, 0, self._standings()), refusal)
        self.holds[hold.id] = hold
        standings = self._standings()
        del self.holds[hold.id]
        return Preview(Hold("", intent, hold.nanos, hold.tokens, hold.output_tokens, standings))

    def settle(self, hold: Hold, charge: Charge) -> Awaitable[None]:
        if self.holds.pop(hold.id, None) is not None:
            self.spent += charge.nanos
            self.spent_tokens += charge.usage.total
            self.charges.append((hold, charge))
        written = asyncio.get_running_loop().create_future()
        written.set_result(None)
        return written

    def _hold(self, intent: Intent) -> Hold:
        """Not counted yet. Raises BudgetExceeded, Unpriced."""
        granted = self._granted(intent)
        if granted < intent.least_tokens:
            raise BudgetExceeded
        self._made += 1
        tokens = intent.choices * granted
        nanos = intent.rates.worst(intent.prompt_tokens, tokens) if intent.rates else 0
        return Hold(f"hold-{self._made}", intent, nanos, intent.prompt_tokens + tokens, granted)

    def _granted(self, intent: Intent) -> int:
        """-1 where not even the prompt fits."""
        granted = intent.output_tokens
        if self.left is not None:
            if intent.rates is None:
                raise Unpriced("the price of the model is not known")
            granted = min(granted, intent.rates.affords(self.left, intent.prompt_tokens) // intent.choices)
        if self.left_tokens is not None:
            granted = min(granted, (self.left_tokens - intent.prompt_tokens) // intent.choices)
        return max(granted, -1)

    def _standings(self) -> tuple[Standing, ...]:
        if self.limit is None and self.limit_tokens is None:
            return ()
        money = self.limit is not None and self.spent + self.held > self.soft * self.limit
        tokens = self.limit_tokens is not None and self.spent_tokens + self.held_tokens > self.soft * self.limit_tokens
        return (Standing("budget-1", self.scope, self.left, self.left_tokens, money or tokens),)


class FixedPrices:
    """The same `rates`, cap and context for every model; None: not known."""

    def __init__(self, rates: Rates | None = NANO_RATES, *, most_output: int | None = None, context: int | None = None) -> None:
        self._rates = rates
        self._most_output = most_output
        self._context = context

    def rates(self, target: Target, tier: str = "") -> Rates | None:
        return self._rates

    def most_output(self, target: Target) -> int | None:
        return self._most_output

    def context(self, target: Target) -> int | None:
        return self._context


class WordCounter:
    """A token for each word."""

    async def count(self, text: str, model: str = "") -> int:
        return len(text.split())

    async def count_prompt(self, prompt: Prompt, model: str = "") -> int:
        return sum(len(text.split()) for text in prompt.texts())
