"""One attempt's stay at a target: counted in at once, counted out once, and what it told about the target on the way."""

from ailb.clock import Clock
from ailb.errors import UpstreamFailure, UpstreamRefusal
from ailb.exchange import Attempt, Exchange, Outcome, Reply
from ailb.health import Health
from ailb.latency import TYPICAL_TOKENS
from middleware.routing_failures import ill
from middleware.routing_rest import retry_after, used_up

CACHED_SHARE = 0.2
"""How much the last answer says about how much of a prompt the provider finds in its cache."""


class Visit:
    """The one that was let in to see whether the target is well again is the only one that may end that probe without a result."""

    __slots__ = ("_attempt", "_clock", "_exchange", "_health", "_here", "_probe", "_reply", "_since")

    def __init__(self, health: Health, clock: Clock, exchange: Exchange) -> None:
        self._health = health
        self._clock = clock
        self._exchange = exchange
        self._here = True
        self._probe = health.breaker.probing and not exchange.dry
        self._since = clock.monotonic()
        self._attempt: Attempt | None = None
        self._reply: Reply | None = None
        health.in_flight += 1
        health.tell()
        exchange.on_settle(self.settle)

    @property
    def reply(self) -> Reply:
        if self._reply is None:
            raise LookupError("this visit was not answered")
        return self._reply

    def answered(self, reply: Reply) -> None:
        """The first event is there."""
        self._reply, attempt = reply, self._exchange.answered
        self._attempt = attempt
        if attempt is not None and attempt.prompt.stream:
            self._health.latency.observe(self._exchange.elapsed - attempt.started, self._clock.monotonic())
        wait = used_up(reply.headers, self._clock.unix()) if reply.headers else None
        if wait:
            self._health.rest(self._clock.monotonic() + wait, "its limit is used up")

    def wins(self) -> None:
        """Over another one that was under way at the same time, whatever that left behind."""
        self._exchange.answered, self._exchange.target = self._attempt, self._health.target

    def failed(self, failure: UpstreamFailure) -> None:
        if isinstance(failure, UpstreamRefusal) and failure.status == 429:
            unix = self._clock.unix()
            wait = retry_after(failure.headers, unix) or used_up(failure.headers, unix)
            if wait:
                self._health.rest(self._clock.monotonic() + wait, "rate limited")
        self.leave(ill(failure), failed=failure.retry_elsewhere)

    def abandoned(self) -> None:
        """Nobody waits for it any more; it would have taken longer than this."""
        now = self._clock.monotonic()
        self._health.latency.observe(now - self._since, now, None if self._exchange.prompt.stream else TYPICAL_TOKENS)
        self.leave(None)

    def close(self) -> None:
        """It was answered, and nobody wants to hear it."""
        if self._attempt is not None:
            self._attempt.abandoned = True
        self.reply.close()
        self.leave(False)

    def settle(self, outcome: Outcome) -> None:
        if outcome.status == "complete":
            if self._attempt is not None and self._here:
                self._learn(self._attempt, outcome)
            self.leave(False)
        else:
            refusal = outcome.refusal
            self.leave(ill(refusal) if isinstance(refusal, UpstreamFailure) else None)

    def leave(self, is_ill: bool | None, *, failed: bool = False) -> None:
        """`is_ill`: whether the target is not well; None where nobody can tell. `failed`: it may be well and had no answer."""
        if not self._here:
            return
        self._here = False
        self._health.in_flight -= 1
        breaker = self._health.breaker
        if is_ill is None:
            if self._probe:
                breaker.abandoned()
        else:
            now = self._clock.monotonic()
            self._health.failing.observe(is_ill or failed, now)
            if is_ill:
                breaker.failed(now)
            else:
                breaker.succeeded()
            if breaker.opened is not None:  # from here on the circuit keeps requests away, and who is let in must not come last
                self._health.failing.forget()
        self._health.tell()

    def _learn(self, attempt: Attempt, outcome: Outcome) -> None:
        health, usage = self._health, outcome.usage
        if usage is None:
            return
        if not attempt.prompt.stream and attempt.first_event is not None:
            health.latency.observe(attempt.first_event - attempt.started, self._clock.monotonic(), usage.output)
        if usage.input:
            health.cached += CACHED_SHARE * (usage.cached / usage.input - health.cached)
