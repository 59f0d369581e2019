"""The innermost layer: picks a target for the model, and another one as long as nothing of an answer was seen."""

from math import inf

from ailb.clock import Clock
from ailb.errors import BadRequest
from ailb.exchange import Exchange, Reply
from ailb.health import Healths
from ailb.models import Models
from ailb.rates import Prices
from ailb.stack import Next
from ailb.tokens import Counter
from middleware.routing_candidates import Known
from middleware.routing_desk import Desk
from middleware.routing_manners import Manners, found
from middleware.routing_trip import Trip


class Routing:
    """`strategy` names the order in which a model's targets are asked: one of ours, or `package.module:function`. `sticky` is what stays
    with one target: "session", "prefix", "user" or "header:<name>". When all have failed they are asked again `retries` times, after a
    while, as long as retries are few among all requests; not those that want to be left alone for more than `most_wait_seconds`. `hedge`:
    a second target is asked when the first takes longer than 19 of 20 answers did. A request makes no more than `most_attempts`.
    `open_after` failures in a row take a target out for `open_seconds`.

    A model's own table may say otherwise.
    """

    def __init__(
        self,
        models: Models,
        clock: Clock,
        healths: Healths,
        prices: Prices,
        counter: Counter,
        *,
        strategy: str = "load_balanced",
        sticky: str = "",
        retries: int = 0,
        hedge: bool = False,
        most_attempts: int = 10,
        most_wait_seconds: float = 10.0,
        open_after: int = 5,
        open_seconds: float = 30.0,
    ) -> None:
        if most_attempts < 1:
            raise ValueError("most_attempts must be at least 1")
        if not 0 <= most_wait_seconds < inf:
            raise ValueError("most_wait_seconds must be 0 or more")
        manners = Manners(strategy, found(strategy, '[[layer]] "routing"'), sticky, retries, hedge)
        for name, route in models.routes.items():
            manners.of(route, f'[[model]] "{name}"')
        healths.tolerate(open_after, open_seconds)
        self.strategy = strategy
        """Its name, for who wants to tell it."""
        self._models = models
        self._desk = Desk(Known(models, healths, prices, manners), prices, counter, clock, most_attempts, most_wait_seconds)

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        wanted = exchange.prompt.model or self._models.default
        if not wanted:
            raise BadRequest("model is missing, and no default_model is configured", param="model")
        self._desk.budget.earn()
        return await Trip(self._desk, exchange, call_next, wanted).go()
