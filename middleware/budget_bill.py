"""What one attempt came to, whichever way it ended."""

from dataclasses import dataclass, field, replace
from math import ceil
from typing import NamedTuple

from ailb.errors import Refusal, UpstreamFailure, UpstreamRefusal
from ailb.exchange import Attempt
from ailb.ledger import Hold
from ailb.prompt import Prompt
from ailb.tokens import Counter, bound
from ailb.usage import Usage
from middleware.budget_seen import Seen


class Bill(NamedTuple):
    """`nanos` is 0 too where nobody knows the price."""

    usage: Usage
    nanos: int
    estimated: bool = False


@dataclass(slots=True)
class Open:
    """An attempt whose hold is not settled yet, the `prompt` that it was made for, and whether the hold caps its answer."""

    attempt: Attempt
    hold: Hold
    prompt: Prompt
    seen: Seen = field(default_factory=Seen)
    capped: bool = False
    _exact: Bill | None = None

    @property
    def exact(self) -> Bill | None:
        """For the reported usage, where that can be believed; asked for with the answer and again at its end, and reckoned once."""
        usage = self.seen.exact
        if usage is None:
            return None
        if self._exact is None or self._exact.usage is not usage:
            self._exact = Bill(usage, cost(self.hold, usage))
        return self._exact


NOTHING = Bill(Usage(), 0)


class Rough:
    """A Counter that needs no vocabulary: a token for three bytes, which is rather too many; a prompt's upper bound."""

    async def count(self, text: str, model: str = "") -> int:
        return ceil(len(text.encode(errors="replace")) / 3)

    async def count_prompt(self, prompt: Prompt, model: str = "") -> int:
        return bound(prompt, model)


def known(open: Open, *, asked: bool) -> Bill | None:
    """None where tokens have to be counted first. `asked`: whether a provider was given the request at all."""
    failure = open.attempt.failure
    if not asked or free(failure):
        return NOTHING
    exact = open.exact
    if exact is not None:
        return exact
    if failure is None and not open.seen.events and not open.prompt.stream:
        return kept(open.hold)
    return None


def free(failure: Refusal | None) -> bool:
    """Whether an attempt that failed like this costs nothing: the upstream refused it, or the request never reached one."""
    if failure is None:
        return False
    return not isinstance(failure, UpstreamFailure) or isinstance(failure, UpstreamRefusal) or not failure.sent


def cost(hold: Hold, usage: Usage) -> int:
    rates = hold.intent.rates
    return rates.cost(usage) if rates else 0


def kept(hold: Hold) -> Bill:
    """The worst case. An answer that comes in one piece is made to its end, whoever is there to hear it: nobody knows how long it was."""
    intent = hold.intent
    usage = Usage(intent.prompt_tokens, intent.choices * hold.output_tokens)
    return Bill(usage, _worst(hold), estimated=True)


def error(refusal: Refusal | None) -> str | None:
    """What went wrong, in a word. Never a message: an upstream's may quote the prompt."""
    if refusal is None:
        return None
    word = refusal.code if isinstance(refusal.code, str) else refusal.type
    return str(word)[:64]


async def _counted(open: Open, counter: Counter) -> Usage:
    """What was reported on the way, and what was said since; the prompt as well as it can be counted without its reader."""
    seen, model = open.seen, open.attempt.target.model
    told = seen.usage if seen.usage is not None and (seen.usage.output or not seen.text) else None
    made = await counter.count(seen.untold if told else seen.text, model)
    output = (told.output if told else 0) + made
    given = told.input if told else 0
    if not given:
        given = min(await counter.count_prompt(open.prompt, model), open.hold.intent.prompt_tokens)
    return replace(told or Usage(), input=given, output=max(output, 1 if seen.text else 0))


async def estimated(open: Open, counter: Counter) -> Bill:
    """Counted. Without a budget an answer has no cap, and may be longer than what was held; within one it never costs more than that."""
    usage, hold = await _counted(open, counter), open.hold
    if not hold.standings:
        return Bill(usage, cost(hold, usage), estimated=True)
    intent = hold.intent
    usage = replace(usage, input=min(usage.input, intent.prompt_tokens), output=min(usage.output, intent.choices * hold.output_tokens))
    return Bill(usage, min(cost(hold, usage), _worst(hold)), estimated=True)


def _worst(hold: Hold) -> int:
    intent = hold.intent
    return intent.rates.worst(intent.prompt_tokens, intent.choices * hold.output_tokens) if intent.rates else 0
