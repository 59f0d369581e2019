from ailb import answer_headers
from ailb.clients.chat import Chat
from ailb.exchange import Attempt
from ailb.testing import TARGET, ask

STREAMED = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache, no-store", "x-accel-buffering": "no"}


def test_a_layers_header_stands_in_for_the_upstreams_and_ours_for_both() -> None:
    exchange = ask()
    exchange.target = TARGET
    exchange.attempts.append(Attempt(TARGET, exchange.prompt, 0.0))
    exchange.reply_headers.update({"x-ratelimit-limit": "5", "x-ailb-attempts": "99"})
    found = answer_headers.of(exchange, {"x-ratelimit-limit": "9", "retry-after": "1"})
    assert int(found.pop("x-ailb-latency-ms")) >= 0
    told = {"x-ailb-provider": "fake", "x-ailb-model": "fake-model", "x-ailb-attempts": "1"}
    assert {"x-ratelimit-limit": "5", "retry-after": "1", **told} == found


def test_before_there_is_a_target_none_is_named() -> None:
    found = answer_headers.of(ask(), {})
    assert {"x-ailb-attempts", "x-ailb-latency-ms"} == set(found)


def test_a_stream_says_that_it_is_one() -> None:
    found = answer_headers.of_stream(ask(), Chat(), {"x-up": "1"})
    assert {**STREAMED, "x-up": "1", "x-ailb-attempts": "0"} == {k: v for k, v in found.items() if k != "x-ailb-latency-ms"}


def test_one_that_begins_with_a_heartbeat_names_nobody() -> None:
    assert {**STREAMED, "x-ailb-attempts": "0", "x-ailb-latency-ms": "0"} == answer_headers.early(Chat())
