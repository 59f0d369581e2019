"""Who is asking. Fails closed: with an admin key configured nobody gets by without one."""

from ailb.exchange import Exchange, Reply
from ailb.identity import Identity
from ailb.stack import Next


class Auth:
    """In local mode everybody passes, as the user that `X-User-ID` names. In keyed mode the admin key passes,
    and may name one too, as may a trusted proxy whose caller needs no key.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        if self._identity.admits(exchange.headers) or self._identity.trusts(exchange.peer):
            exchange.caller.user = exchange.headers.get("x-user-id") or exchange.caller.user
        return await call_next(exchange)
