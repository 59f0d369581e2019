"""The ledger under any sequence of what can happen to it. After every step the books agree with each other, and with what was seen."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ailb.errors import BudgetExceeded
from ailb.ledger import Charge, Hold
from ailb.rates import PER, Rates
from ailb.store.budgets import BudgetState
from ailb.store.schema import ENTRIES, HOLDS
from ailb.store.sweeper import LEASE_SECONDS, Sweeper
from ailb.store.windows import PERIODS, Period
from ailb.usage import Usage
from tests.ailb.store.clocks import SetClock
from tests.ailb.store.made import made, patient
from tests.ailb.store.money import Bank, all_of_it, charge, intent

USERS = st.sampled_from(["ann", "bob"])
MODELS = st.sampled_from(["m", "alias", "n"])
SCOPES = st.sampled_from(
    [("key", "k1"), ("user", "ann"), ("user", "bob"), ("model", "alias"), ("model", "m"), ("provider", "p"), ("global", "")]
)
AMOUNTS = st.integers(0, 300)


class Machine(RuleBasedStateMachine):
    """Holds live in `open` until they are settled; `charged` is what the first charge of each was."""

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = SetClock()
        self.rates = Rates(input=PER, output=PER)
        self.open: list[Hold] = []
        self.over: list[Hold] = []
        self.charged: dict[str, int] = {}
        self.generation = 0
        self.start()

    def start(self) -> None:
        self.generation += 1
        self.database = patient(made(Path(self.folder.name)), self.clock)

        async def enter() -> None:
            await self.database.__aenter__()
            await self.database.prepare()

        self.runner.run(enter())
        self.bank = Bank(self.database, f"p{self.generation}")

    def sweep(self, name: str, *, alone: bool) -> None:
        self.runner.run(Sweeper(self.database, self.bank.books, name, alone=alone).beat())
        self.left_over()

    def left_over(self) -> None:
        """What was held came to its worst case."""
        for hold in self.open:
            self.charged[hold.id] = hold.nanos
        self.over, self.open = [*self.over, *self.open], []

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.runner.run(self.database.__aexit__(None, None, None))
            self.runner.close()
            self.folder.cleanup()

    @rule(scope=SCOPES, period=st.sampled_from(PERIODS), nanos=st.none() | AMOUNTS, tokens=st.none() | AMOUNTS)
    def limit(self, scope: tuple[str, str], period: Period, nanos: int | None, tokens: int | None) -> None:
        self.runner.run(self.bank.budgets.set(*scope, period=period, limit_nanos=nanos, limit_tokens=tokens))

    @rule(scope=SCOPES)
    def unlimit(self, scope: tuple[str, str]) -> None:
        self.runner.run(self.bank.budgets.remove(*scope))

    @rule(users=st.lists(USERS, min_size=1, max_size=4), model=MODELS, prompt=st.integers(0, 60), output=AMOUNTS, whole=st.booleans())
    def reserve(self, users: list[str], model: str, prompt: int, output: int, whole: bool) -> None:
        """Several at once."""

        async def ask() -> list[Any]:
            made = all_of_it if whole else intent
            intents = [made(user, prompt, output, asked=model, rates=self.rates, choices=1 + len(users) % 2) for user in users]
            asking = (self.bank.books.hold(each) for each in intents)
            return await asyncio.gather(*asking, return_exceptions=True)

        for answer in self.runner.run(ask()):
            if isinstance(answer, Hold):
                self.open.append(answer)
                assert not whole or answer.output_tokens == output
                for standing in answer.standings:
                    assert (standing.left_nanos or 0) >= 0
                    assert (standing.left_tokens or 0) >= 0
            else:
                assert isinstance(answer, BudgetExceeded)

    @rule(turns=st.integers(0, 12))
    def reserve_and_be_cancelled(self, turns: int) -> None:
        async def ask() -> None:
            task = asyncio.create_task(self.bank.books.hold(intent()))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait((task,))
            if not task.cancelled() and task.exception() is None:
                self.open.append(task.result())

        self.runner.run(ask())

    @precondition(lambda self: self.open)
    @rule(data=st.data(), nanos=AMOUNTS, twice=st.booleans())
    def settle(self, data: st.DataObject, nanos: int, twice: bool) -> None:
        hold = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        self.over.append(hold)
        self.charged[hold.id] = nanos

        async def work() -> None:
            first = self.bank.books.settle(hold, charge(nanos))
            if twice:
                await self.bank.books.settle(hold, charge(nanos + 1))
            await first

        self.runner.run(work())

    @precondition(lambda self: self.over)
    @rule(data=st.data())
    def settle_again(self, data: st.DataObject) -> None:
        self.runner.run(_done(self.bank, data.draw(st.sampled_from(self.over)), charge(999)))

    @precondition(lambda self: self.open)
    @rule()
    def cancel(self) -> None:
        """The attempt came to nothing."""
        hold = self.open.pop()
        self.over.append(hold)
        self.charged[hold.id] = 0
        self.runner.run(_done(self.bank, hold, Charge("failed", Usage(), 0)))

    @rule()
    def expire(self) -> None:
        """Another process listens for as long as one may be silent."""
        another = Sweeper(self.database, self.bank.books, "another", alone=False)
        for _ in range(4):
            self.runner.run(another.beat())
            self.clock.now += LEASE_SECONDS / 2.5
        self.runner.run(another.beat())
        self.left_over()

    @rule()
    def crash(self) -> None:
        """What was held is nobody's when the file is opened again."""
        self.runner.run(self.database.__aexit__(None, None, None))
        self.start()
        self.sweep(f"p{self.generation}", alone=True)

    @rule(rate=st.integers(0, 3))
    def reprice(self, rate: int) -> None:
        self.rates = Rates(input=PER * rate, output=PER)

    @rule(seconds=st.sampled_from([1, 3600, 86_400, 8 * 86_400, 32 * 86_400]))
    def pass_time(self, seconds: int) -> None:
        self.clock.now += seconds

    @invariant()
    def the_books_agree(self) -> None:
        if hasattr(self, "bank"):
            self.runner.run(self._agree())

    async def _agree(self) -> None:
        await self.database.write(_after_the_rest)
        await self.bank.check()
        assert {hold.id for hold in self.open} == {row["id"] for row in await self.bank.rows(HOLDS)}
        assert self.charged == {row["hold_id"]: row["nanos"] for row in await self.bank.rows(ENTRIES)}
        for state in await self.bank.budgets.all():
            assert isinstance(state, BudgetState)


async def _done(bank: Bank, hold: Hold, charge: Charge) -> None:
    await bank.books.settle(hold, charge)


async def _after_the_rest(connection: object) -> None:
    """Everything that was put before is written when this is."""


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
