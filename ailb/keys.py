"""Virtual keys, as the layers see them."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Protocol

from ailb.errors import Forbidden, InvalidKey

PREFIX = "sk-ailb_"
"""How every virtual key begins, so that one can tell it from a provider's."""


@dataclass(frozen=True, slots=True)
class Key:
    """One virtual key, without its secret. None in a limit means that the key has none of its own; None in a list: anything."""

    id: str
    user: str
    name: str = ""
    rate_limit_rpm: int | None = None
    rate_limit_tpm: int | None = None
    max_parallel: int | None = None
    allowed_models: tuple[str, ...] | None = None
    allowed_collections: tuple[str, ...] | None = None
    expires: float | None = None
    """Unix seconds."""

    def allows_model(self, model: str) -> bool:
        """`allowed_models` are names and patterns such as `gpt-*`."""
        return self.allowed_models is None or any(fnmatchcase(model, allowed) for allowed in self.allowed_models)

    def check_model(self, model: str) -> None:
        """Raises Forbidden."""
        if not self.allows_model(model):
            raise Forbidden(f"this key may not use the model {model}", param="model", code="model_not_allowed")

    def allows_collection(self, collection: str) -> bool:
        return self.allowed_collections is None or collection in self.allowed_collections


class Keys(Protocol):
    """The virtual keys that there are."""

    async def find(self, secret: str) -> Key | None:
        """The active key with this secret; None for one that is unknown, revoked, expired or malformed. Raises Unavailable."""


async def sent(given: str, keys: Keys) -> Key | None:
    """The virtual key that a client sent; None where it sent none, or something else. Raises InvalidKey for one that is not good."""
    if not given.startswith(PREFIX):
        return None
    key = await keys.find(given)
    if key is None:
        raise InvalidKey("Invalid API key")
    return key


class NoKeys:
    """Where there is no store: no key is good."""

    async def find(self, secret: str) -> Key | None:
        return None


NO_KEYS: Final = NoKeys()
