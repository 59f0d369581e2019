from ailb.chat import Chunks, completion
from ailb.usage import Usage

USAGE = Usage(7, 5, 2, reasoning=1)
BASE = {"id": "c1", "object": "chat.completion.chunk", "created": 5, "model": "m"}


def test_a_delta() -> None:
    event = Chunks("c1", "m", 5, wants_usage=False).delta({"content": "Hi"})
    choice = {"index": 0, "delta": {"content": "Hi"}, "logprobs": None, "finish_reason": None}
    assert {**BASE, "choices": [choice]} == event.data
    assert (None, False, "Hi") == (event.usage, event.hidden, event.text)


def test_a_last_delta_with_more_to_say() -> None:
    data = Chunks("c1", "m", 5, wants_usage=False).delta({}, "stop", service_tier="x").data
    assert ("stop", "x") == (data["choices"][0]["finish_reason"], data["service_tier"])


def test_those_who_want_usage_get_a_null_in_each_chunk_and_the_numbers_in_the_last() -> None:
    chunks = Chunks("c1", "m", 5, wants_usage=True)
    assert chunks.delta({}).data["usage"] is None
    last = chunks.usage(USAGE, cost=0.5)
    assert {**BASE, "choices": [], "usage": {**USAGE.chat(), "cost": 0.5}} == last.data
    assert (USAGE, False) == (last.usage, last.hidden)


def test_the_others_do_not_and_the_last_one_is_hidden() -> None:
    chunks = Chunks("c1", "m", 5, wants_usage=False)
    assert "usage" not in chunks.delta({}).data
    assert (USAGE, True) == ((last := chunks.usage(USAGE)).usage, last.hidden)


def test_a_tool_call_begins_and_goes_on() -> None:
    chunks = Chunks("c1", "m", 5, wants_usage=False)
    begun = chunks.tool(1, "call_1", "look_up").data["choices"][0]["delta"]
    assert {"tool_calls": [{"index": 1, "id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": ""}}]} == begun
    more = chunks.arguments(1, '{"a"').data["choices"][0]["delta"]
    assert {"tool_calls": [{"index": 1, "function": {"arguments": '{"a"'}}]} == more


def test_every_chunk_is_one_frame() -> None:
    raw = Chunks("c1", "m", 5, wants_usage=False).delta({"content": "a\n\nb"}).raw
    assert (True, 1) == (raw.startswith(b"data: {"), raw.count(b"\n\n"))


def test_a_whole_completion() -> None:
    event = completion("c1", "m", 5, {"content": "Hi", "extra": 1}, finish="stop", usage=USAGE, service_tier="x")
    message = {"role": "assistant", "content": "Hi", "refusal": None, "extra": 1}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    expected = {"id": "c1", "object": "chat.completion", "created": 5, "model": "m", "choices": [choice], "usage": USAGE.chat()}
    assert {**expected, "service_tier": "x"} == event.data
    assert (USAGE, "Hi") == (event.usage, event.text)
