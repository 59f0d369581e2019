"""One log line and the metrics of each request."""

import structlog

from ailb.errors import Refusal, UpstreamRefusal
from ailb.exchange import Exchange, Outcome, Reply
from ailb.meter import Meter
from ailb.money import NANO
from ailb.stack import Next

LOG = structlog.get_logger("ailb.request")


class Access:
    """The outermost layer, so that it sees what all the others came to."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        if not exchange.dry:
            exchange.on_settle(lambda outcome: self._tell(exchange, outcome))
        return await call_next(exchange)

    def _tell(self, exchange: Exchange, outcome: Outcome) -> None:
        self._meter.request(exchange, outcome)
        target, usage, refusal = exchange.target, outcome.usage, outcome.refusal
        LOG.info(
            "request",
            id=exchange.id,
            path=exchange.path,
            caller=exchange.caller.user,
            key=exchange.caller.key_id,
            asked=exchange.prompt.model,
            model=target.model if target else None,
            provider=target.provider if target else None,
            stream=exchange.prompt.stream,
            outcome=outcome.status,
            status=outcome.http_status,
            error=_short(refusal),
            attempts=len(exchange.attempts),
            latency_ms=round(outcome.seconds * 1000, 1),
            first_event_ms=None if outcome.first_event is None else round(outcome.first_event * 1000, 1),
            input_tokens=usage.input if usage else None,
            output_tokens=usage.output if usage else None,
            cached_tokens=usage.cached if usage else None,
            cost_usd=None if exchange.cost is None else exchange.cost / NANO,
            **exchange.notes,
        )


def _short(refusal: Refusal | None) -> str | None:
    """What went wrong; of an upstream's own words only the code, because they may quote the prompt."""
    if isinstance(refusal, UpstreamRefusal):
        return f"{refusal.type}: {refusal.code}" if refusal.code else refusal.type
    return refusal.message if refusal else None
