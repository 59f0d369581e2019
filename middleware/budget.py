"""Money: a hold before every attempt, a charge after it, and nothing in between that could lose either."""

from ailb.exchange import Exchange, Reply
from ailb.ledger import Ledger
from ailb.rates import Prices
from ailb.stack import Next
from ailb.tokens import Counter
from middleware.budget_share import Shares
from middleware.budget_tab import Tab, Till


class Budget:
    """Holds an attempt's worst case in every budget that applies before the request leaves, and puts the truth in its place at the end.

    The longest answer is what the client caps it at, at most the model's own cap. Where the client does not say, one request holds no more
    than `implicit_share` of what the tightest budget has left, so that requests beside it find something too; at first, and
    where nobody knows the model's cap, `output_tokens`, which every model takes. What was granted is then the answer's cap, and told in
    `x-ailb-max-tokens-clamped`. Where no budget has a limit nothing is capped. See `Shares`.
    """

    def __init__(self, ledger: Ledger, prices: Prices, counter: Counter, *, output_tokens: int = 4096, implicit_share: float = 0.1) -> None:
        if output_tokens < 1:
            raise ValueError("output_tokens must be at least 1")
        if not 0 < implicit_share <= 1:
            raise ValueError("implicit_share must be above 0 and at most 1")
        self._till = Till(ledger, prices, counter, Shares(implicit_share, output_tokens))

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        tab = Tab(self._till, exchange)
        exchange.on_settle(tab.settle)
        exchange.on_attempt(tab.open)
        try:
            reply = await call_next(exchange)
        finally:
            tab.tell()
        reply.each(tab.see)
        return reply
