"""Money as the layers see it: a hold before every attempt, a charge after it.

Amounts are integer nano-dollars. `spent + held` never passes a limit, at any instant: the ledger decides about each hold in one atomic
step over every budget that applies, and has written it down before it answers.
"""

from collections.abc import Awaitable
from typing import Final, Literal, NamedTuple, Protocol

from ailb.errors import Refusal
from ailb.rates import Rates
from ailb.usage import Usage

Status = Literal["complete", "refused", "broken", "disconnected", "failed", "abandoned"]
"""As an Outcome's; `failed` is an attempt after which another target was asked, or none was left, and `abandoned` one that lost against
another that was under way at the same time.
"""

VAIN: Final[tuple[Status, ...]] = ("failed", "abandoned")
"""No request ends with an attempt of these."""


class Intent(NamedTuple):
    """What an attempt may come to, said before it is made.

    `prompt_tokens` is an upper bound. An answer has at most `choices * output_tokens` tokens; the ledger may grant less than
    `output_tokens`, down to `least_tokens`. `rates` is None where nobody knows the price. `asked` is the model as the client named it,
    `model` as the provider does.
    """

    request_id: str
    attempt: int
    user: str
    key_id: str | None
    provider: str
    model: str
    asked: str
    rates: Rates | None
    prompt_tokens: int
    output_tokens: int
    least_tokens: int = 1
    choices: int = 1
    session_id: str | None = None


class Standing(NamedTuple):
    """One budget after a hold. `scope` is key, user, model, provider or global. None: that kind of limit is not set."""

    budget_id: str
    scope: str
    left_nanos: int | None
    left_tokens: int | None
    warning: bool
    """Whether spent and held have passed the soft limit."""


class Hold(NamedTuple):
    """A durable promise that the attempt's worst case is paid for. `output_tokens` is what was granted, for each choice."""

    id: str
    intent: Intent
    nanos: int
    tokens: int
    output_tokens: int
    standings: tuple[Standing, ...] = ()


class Charge(NamedTuple):
    """What an attempt came to. `estimated`: nobody reported the usage, so it was counted or the hold was kept."""

    status: Status
    usage: Usage
    nanos: int
    estimated: bool = False
    http_status: int | None = None
    error: str | None = None
    latency_ms: int | None = None
    first_event_ms: int | None = None


class Preview(NamedTuple):
    """What a hold would be now. With a `refusal` it would be none: then nothing is in it but how the budgets stand."""

    hold: Hold
    refusal: Refusal | None = None


class Ledger(Protocol):
    async def hold(self, intent: Intent) -> Hold:
        """Durable when it returns; whoever is cancelled meanwhile holds nothing.

        Raises BudgetExceeded when not even the prompt and `least_tokens` fit into what is left, Unpriced when a budget applies and the
        price is not known, Unavailable when nothing can be written down.
        """

    async def preview(self, intent: Intent) -> Preview:
        """What `hold` would answer or raise. Nothing is held, and nothing written down. Raises Unavailable when nobody can tell."""

    def settle(self, hold: Hold, charge: Charge) -> Awaitable[None]:
        """Puts the truth in the place of the hold, once; a second charge for the same hold changes nothing.

        It is on its way when this returns, in the order of the calls; the awaitable is for whoever wants to know that it is written.
        """
