"""How the targets of a model are asked: as the layer's options have it, and as the model's own table has it instead."""

from dataclasses import dataclass
from importlib import import_module

from ailb.errors import ConfigError
from ailb.models import Route, nearest
from ailb.strategy import Strategy
from middleware import routing_sticky
from middleware.strategies import STRATEGIES


@dataclass(frozen=True, slots=True)
class Manners:
    """`name` is the strategy's. See `Routing`."""

    name: str
    strategy: Strategy
    sticky: str
    retries: int
    hedge: bool

    def __post_init__(self) -> None:
        if not routing_sticky.known(self.sticky):
            raise ValueError('sticky must be "session", "prefix", "user" or "header:<name>"')
        if not 0 <= self.retries <= 10:
            raise ValueError("retries must be from 0 to 10")

    def of(self, route: Route, where: str = "") -> "Manners":
        """Those of a model. Raises ConfigError."""
        return Manners(
            route.strategy or self.name,
            found(route.strategy, where) if route.strategy else self.strategy,
            self.sticky if route.sticky is None else route.sticky,
            self.retries if route.retries is None else route.retries,
            self.hedge if route.hedge is None else route.hedge,
        )


def found(name: str, where: str) -> Strategy:
    """By its name, or as `package.module:function`. Raises ConfigError; `where` is the table."""
    module, colon, function = name.partition(":")
    if not colon:
        if name not in STRATEGIES:
            like = nearest(name, STRATEGIES) or STRATEGIES
            raise ConfigError(f"{where}.strategy", f"no strategy {name!r}; did you mean {', '.join(like)}?")
        return STRATEGIES[name]
    try:
        own: Strategy = getattr(import_module(module), function)
    except (ImportError, AttributeError) as problem:
        raise ConfigError(f"{where}.strategy", f"{name!r} cannot be had: {problem}") from None
    return own
