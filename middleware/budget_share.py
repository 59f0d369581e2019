"""How long an answer may become of which the client did not say it."""

from collections.abc import Sequence

from ailb.ledger import Hold, Intent, Standing
from ailb.rates import Rates

LEAST = 1024
"""Tokens. A share that is too small for an answer of some use is of no use to anybody."""

MOST_KEPT = 4096
"""Callers' budgets that are remembered, the ones used last."""


class Shares:
    """A model's own cap is often its whole context: to hold all that for one request would leave nothing to the requests beside it.

    So one request holds no more than `share` of what the caller's tightest budget had left when it was last seen, but `LEAST` tokens in
    any case. A budget that was never seen counts as small: `safe` tokens. What is remembered only shapes the question; the ledger decides.

    What is held becomes the answer's cap, and a provider refuses a cap above the model's own. So where that is not known for sure
    it is either all that the model might write, which needs no cap, or at most `safe` tokens.
    """

    def __init__(self, share: float, safe: int) -> None:
        self._ppm = int(share * 1_000_000)
        self._safe = safe
        self._seen: dict[tuple[str, ...], Sequence[Standing]] = {}

    def most(self, intent: Intent, known: int | None, *, sure: bool) -> int:
        """Tokens to hold for each choice. `known` is more than any answer of the model has, and its own cap if that is `sure`."""
        most = self._safe if known is None else known
        fits = self._fits(intent, most)
        if fits >= most:
            return most
        return min(most, max(min(LEAST, self._safe), fits), most if sure else self._safe)

    def _fits(self, intent: Intent, most: int) -> int:
        standings = self._seen.get(_who(intent), ())
        nanos = min((standing.left_nanos for standing in standings if standing.left_nanos is not None), default=None)
        tokens = min((standing.left_tokens for standing in standings if standing.left_tokens is not None), default=None)
        if nanos is None and tokens is None:
            return self._safe
        fits = [most]
        if nanos is not None and intent.rates is not None:
            fits.append(_bought(intent.rates, self._part(nanos), intent.prompt_tokens) // intent.choices)
        if tokens is not None:
            fits.append((self._part(tokens) - intent.prompt_tokens) // intent.choices)
        return min(fits)

    def learn(self, hold: Hold) -> None:
        who = _who(hold.intent)
        self._seen.pop(who, None)
        self._seen[who] = hold.standings
        if len(self._seen) > MOST_KEPT:
            del self._seen[next(iter(self._seen))]

    def _part(self, left: int) -> int:
        return left * self._ppm // 1_000_000


def _bought(rates: Rates, nanos: int, prompt_tokens: int) -> int:
    return max(0, rates.affords(nanos, prompt_tokens))


def _who(intent: Intent) -> tuple[str, ...]:
    """Whatever a budget may be for."""
    return (intent.key_id or "", intent.user, intent.provider, intent.asked)
