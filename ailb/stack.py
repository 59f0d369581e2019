"""The onion: layers around the innermost call, which hands the exchange to its target's provider."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from inspect import isawaitable
from typing import Protocol, runtime_checkable

from ailb.errors import Refusal, UpstreamFailure
from ailb.exchange import Attempt, Exchange, Reply, batches_of

Next = Callable[[Exchange], Awaitable[Reply]]


class Layer(Protocol):
    """Changes the exchange, calls on, or raises a Refusal. Options in `__init__`; nothing about a request on `self`."""

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply: ...


@runtime_checkable
class Dependent(Protocol):
    """A layer, or the store, that needs something outside of the process and knows how that is."""

    @property
    def dependencies(self) -> Mapping[str, bool | None]:
        """Whether each can be used now, by name. None: nobody knows yet."""


class Provider(Protocol):
    """Whoever answers. It has the first event before it returns; until then it raises an UpstreamFailure."""

    async def __call__(self, exchange: Exchange, attempt: Attempt) -> Reply: ...


def stack(layers: Sequence[Layer], innermost: Next) -> Next:
    """`layers` around `innermost`, the first one outermost."""
    call = innermost
    for layer in reversed(layers):
        call = _around(layer, call)
    return call


def _around(layer: Layer, call_next: Next) -> Next:
    def call(exchange: Exchange) -> Awaitable[Reply]:
        return layer(exchange, call_next)

    return call


class Innermost:
    """Asks the provider of the target that routing picked, after the attempt hooks agreed, and keeps the attempt's record.

    Of a dry exchange the hooks are asked, and nobody else; its reply is empty.
    """

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers

    async def __call__(self, exchange: Exchange) -> Reply:
        target = exchange.target
        if target is None:
            raise LookupError("no layer has picked a target: the onion needs a routing layer")
        exchange.numbered += 1
        attempt = Attempt(target, exchange.prompt, exchange.elapsed, exchange.numbered)
        try:
            for hook in exchange.attempt_hooks:
                waiting = hook(attempt)
                if isawaitable(waiting):
                    await waiting
            if exchange.dry:
                return Reply(batches_of([]))
            exchange.attempts.append(attempt)
            reply = await self._providers[target.provider](exchange, attempt)
        except Refusal as failure:
            attempt.failure = failure
            attempt.ended = exchange.elapsed
            if isinstance(failure, UpstreamFailure):
                attempt.status = failure.status
                attempt.error = failure.message
            raise
        except BaseException:  # cancellation, or a bug: whatever it was, nobody waits for this answer any more
            attempt.abandoned = True
            attempt.ended = exchange.elapsed
            raise
        if reply.closes:
            exchange.on_settle(lambda outcome: reply.close())  # a layer further out may fail before the edge has it
        exchange.answered = attempt
        attempt.first_event = exchange.elapsed
        attempt.status = reply.status
        return reply
