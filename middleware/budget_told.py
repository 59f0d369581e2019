"""What a client is told about its money."""

from ailb import sse, strict
from ailb.dialect import Event
from ailb.exchange import Exchange
from ailb.ledger import Hold
from ailb.money import number, text

COST_HEADER = "x-ailb-cost-usd"
LEFT_HEADER = "x-ailb-budget-remaining-usd"
WARNING_HEADER = "x-ailb-budget-warning"


def tell_standings(exchange: Exchange, hold: Hold) -> None:
    """The headers, and the log line's note, of the budgets as they are now; those of an attempt before are gone."""
    headers = exchange.reply_headers
    for name in (LEFT_HEADER, WARNING_HEADER):
        headers.pop(name, None)
    exchange.notes.pop("budget_warning", None)
    left: int | None = None
    passed: dict[str, None] = {}
    for standing in hold.standings:
        nanos = standing.left_nanos
        if nanos is not None and (left is None or nanos < left):
            left = nanos
        if standing.warning:
            passed[standing.scope] = None
    if left is not None:
        headers[LEFT_HEADER] = text(max(0, left))
    if passed:
        headers[WARNING_HEADER] = exchange.notes["budget_warning"] = ", ".join(passed)


def with_cost(event: Event, nanos: int) -> Event:
    """The last chunk of a stream, with `cost` in its usage; any other event as it is."""
    if event.dialect != "chat" or event.hidden:
        return event
    data = event.data
    usage = data.get("usage")
    if not isinstance(usage, dict) or not all(choice.get("finish_reason") for choice in data.get("choices") or ()):
        return event
    raw = strict.dumps({**data, "usage": {**usage, "cost": number(nanos)}})
    return Event(sse.encode(raw), event.usage, data=data)
