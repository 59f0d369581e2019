"""Who is asking, and whether they may ask for that. Fails closed: with an admin key configured nobody gets by without a key."""

from ailb.errors import Forbidden
from ailb.exchange import Exchange, Reply
from ailb.identity import Identity, key_of, user_of
from ailb.keys import NO_KEYS, Key, Keys, sent
from ailb.models import Models
from ailb.stack import Next


class Auth:
    """A virtual key stands for its user, and `X-User-ID` beside it changes nothing; one that is not good is refused in every mode.

    Without a virtual key: in local mode everybody passes, as the user that `X-User-ID` names, and whatever else SDKs send as a key is
    not looked at. In keyed mode the admin key passes, and may name a user, as may a trusted proxy whose caller needs no key.
    """

    def __init__(self, identity: Identity, models: Models, keys: Keys = NO_KEYS) -> None:
        self._identity = identity
        self._models = models
        self._keys = keys

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        given = key_of(exchange.headers)
        key = None if self._identity.is_admin(given) else await sent(given, self._keys)
        if key is not None:
            exchange.caller.user, exchange.caller.key = key.user, key
            self._check(exchange, key)
        elif self._identity.admits(exchange.headers) or self._identity.trusts(exchange.peer):
            exchange.caller.user = user_of(exchange.headers) or exchange.caller.user
        return await call_next(exchange)

    def _check(self, exchange: Exchange, key: Key) -> None:
        """Raises Forbidden."""
        model = exchange.prompt.model or self._models.default
        if model:
            key.check_model(model)
        collection = exchange.prompt.rag_collection
        if collection and not key.allows_collection(collection):
            raise Forbidden(f"this key may not use the collection {collection}", param="rag_collection", code="collection_not_allowed")
