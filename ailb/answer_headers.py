"""What is told in an answer's headers."""

from collections.abc import Mapping

from ailb.dialect import Speech
from ailb.exchange import Exchange
from ailb.outlet import UNBUFFERED


def of(exchange: Exchange, upstream: Mapping[str, str]) -> dict[str, str]:
    """`upstream` are those that may be passed on; the layers' own come before them, the gateway's before all."""
    headers = {**upstream, **exchange.reply_headers}
    if exchange.target is not None:
        headers["x-ailb-provider"] = exchange.target.provider
        headers["x-ailb-model"] = exchange.target.model
    headers["x-ailb-attempts"] = str(len(exchange.attempts))
    headers["x-ailb-latency-ms"] = str(round(exchange.elapsed * 1000))
    return headers


def of_stream(exchange: Exchange, speech: Speech, upstream: Mapping[str, str]) -> dict[str, str]:
    return {"content-type": speech.stream_type, **UNBUFFERED, **of(exchange, upstream)}


def early(speech: Speech) -> dict[str, str]:
    """Of a stream that begins with a heartbeat, before anybody knows who will answer."""
    return {"content-type": speech.stream_type, **UNBUFFERED, "x-ailb-attempts": "0", "x-ailb-latency-ms": "0"}
