"""Who is asking, and whether they may ask for that. Fails closed: with an admin key configured nobody gets by without a key."""

from ailb.clock import Clock
from ailb.errors import Forbidden, InvalidKey
from ailb.exchange import Exchange, Reply
from ailb.guesses import Guesses
from ailb.identity import Identity, key_of, user_of
from ailb.keys import NO_KEYS, Key, Keys, sent
from ailb.models import Models
from ailb.stack import Next


class Auth:
    """A virtual key stands for its user, and `X-User-ID` beside it changes nothing; one that is not good is refused in every mode.

    Without a virtual key: in local mode everybody passes, as the user that `X-User-ID` names, and whatever else SDKs send as a key is
    not looked at. In keyed mode the admin key passes, and may name a user, as may a trusted proxy whose caller needs no key. Wrong keys
    are looked up so many times a second for each address, and then refused unseen. See `Guesses`.
    """

    def __init__(self, identity: Identity, models: Models, clock: Clock, keys: Keys = NO_KEYS) -> None:
        self._identity = identity
        self._models = models
        self._keys = keys
        self._guesses = Guesses(clock)

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        identity, given, headers = self._identity, key_of(exchange.headers), exchange.headers
        if identity.judges(given) and not identity.is_admin(given):
            key = await self._guesses.judged(given, lambda: self._judge(given), lambda: identity.address(exchange.peer, headers))
            exchange.caller.user, exchange.caller.key = key.user, key
            self._check(exchange, key)
        elif identity.admits(headers) or identity.trusts(exchange.peer):
            exchange.caller.user = user_of(headers) or exchange.caller.user
        return await call_next(exchange)

    async def _judge(self, given: str) -> Key:
        """Raises InvalidKey, Unavailable."""
        key = await sent(given, self._keys)
        if key is None:
            raise InvalidKey("Invalid API key")
        return key

    def _check(self, exchange: Exchange, key: Key) -> None:
        """Raises Forbidden."""
        model = exchange.prompt.model or self._models.default
        if model:
            key.check_model(model)
        collection = exchange.prompt.rag_collection
        if collection and not key.allows_collection(collection):
            raise Forbidden(f"this key may not use the collection {collection}", param="rag_collection", code="collection_not_allowed")
