"""Who is asking. Fails closed: with an admin key configured nobody gets by without one."""

from ailb.errors import InvalidKey
from ailb.exchange import Exchange, Reply
from ailb.identity import Identity, key_of
from ailb.stack import Next


class Auth:
    """In local mode everybody passes, as the user that `X-User-ID` names. In keyed mode the admin key passes,
    and may name one too, as may a trusted proxy whose caller needs no key.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        trusted = self._identity.admin_key is None
        if not trusted:
            key = key_of(exchange.headers)
            trusted = self._identity.is_admin(key)
            if not trusted and (key or self._identity.required):
                raise InvalidKey("Invalid API key" if key else "Invalid API key: none was sent")
        if trusted or self._identity.trusts(exchange.peer):
            exchange.caller.user = exchange.headers.get("x-user-id") or exchange.caller.user
        return await call_next(exchange)
