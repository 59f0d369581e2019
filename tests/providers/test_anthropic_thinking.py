"""Thinking, and what it does not go together with."""

from typing import Any

import pytest

from ailb.errors import BadRequest
from providers.anthropic_models import abilities
from providers.anthropic_thinking import sampling, thinking

Json = dict[str, Any]

HI = {"role": "user", "content": [{"type": "text", "text": "hi"}]}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "ok"}]}
SIGNED = {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, *CALL["content"]]}


def made(chat: Json, model: str, turns: list[Json] | None = None, **body: Any) -> Json:
    """What `chat` adds to a body of 10,000 tokens at most."""
    full: Json = {"max_tokens": 10_000, "messages": turns or [HI], **body}
    thinking(chat, abilities(model), full)
    sampling(chat, abilities(model), full)
    return {field: value for field, value in full.items() if field not in ("max_tokens", "messages", *body)}


def budget(tokens: int) -> Json:
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


def adaptive(effort: str) -> Json:
    return {"output_config": {"effort": effort}, "thinking": {"type": "adaptive", "display": "summarized"}}


@pytest.mark.parametrize(
    ("effort", "sonnet_4", "opus_4_6", "opus_4_8"),
    [
        ("none", {}, {}, {}),
        ("minimal", budget(1024), adaptive("low"), adaptive("low")),
        ("low", budget(2048), adaptive("low"), adaptive("low")),
        ("medium", budget(8000), adaptive("medium"), adaptive("medium")),
        ("high", budget(8000), adaptive("high"), adaptive("high")),
        ("xhigh", budget(8000), adaptive("high"), adaptive("xhigh")),
        ("max", budget(8000), adaptive("max"), adaptive("max")),
        (None, {}, {}, {}),
    ],
)
def test_effort(effort: str | None, sonnet_4: Json, opus_4_6: Json, opus_4_8: Json) -> None:
    chat = {"reasoning_effort": effort}
    models = ("claude-sonnet-4-0", "claude-opus-4-6", "claude-opus-4-8", "claude-3-5-haiku-latest")
    assert [sonnet_4, opus_4_6, opus_4_8, {}] == [made(chat, model) for model in models]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-sonnet-5", {"thinking": {"type": "disabled"}}),
        ("claude-opus-5-5", adaptive("low")),
        ("claude-fable-5", adaptive("low")),
    ],
)
def test_models_that_think_unless_told(model: str, expected: Json) -> None:
    assert expected == made({"reasoning_effort": "none"}, model)


@pytest.mark.parametrize(("most", "expected"), [(1000, {}), (1279, {}), (1280, budget(1024)), (100_000, budget(16_384))])
def test_a_budget_leaves_room_for_the_answer(most: int, expected: Json) -> None:
    body: Json = {"max_tokens": most, "messages": [HI]}
    thinking({"reasoning_effort": "high"}, abilities("claude-sonnet-4-0"), body)
    assert expected == {field: value for field, value in body.items() if field == "thinking"}


@pytest.mark.parametrize("effort", ["huge", 3, True, ["low"]])
def test_an_effort_that_nobody_knows_is_named(effort: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        made({"reasoning_effort": effort}, "claude-sonnet-5")
    assert refused.value.param == "reasoning_effort"


@pytest.mark.parametrize(("choice", "on"), [("auto", True), ("none", True), ("any", False), ("tool", False)])
def test_a_forced_tool_goes_before_thinking(choice: str, on: bool) -> None:
    for model in ("claude-sonnet-4-0", "claude-opus-4-8"):
        assert on == ("thinking" in made({"reasoning_effort": "high"}, model, tool_choice={"type": choice}))


@pytest.mark.parametrize(("turns", "on"), [([HI, CALL, RESULT], False), ([HI, SIGNED, RESULT], True), ([HI, CALL, RESULT, CALL, HI], True)])
def test_a_budget_is_off_where_the_thinking_of_a_call_was_lost(turns: list[Json], on: bool) -> None:
    assert on == ("thinking" in made({"reasoning_effort": "high"}, "claude-sonnet-4-0", turns))
    native: Json = {"max_tokens": 10_000, "messages": turns, **budget(2000)}
    thinking({}, abilities("claude-sonnet-4-0"), native)
    assert on == ("thinking" in native)


def test_adaptive_thinking_stays_on_where_the_thinking_of_a_call_was_lost() -> None:
    assert adaptive("high") == made({"reasoning_effort": "high"}, "claude-opus-4-6", [HI, CALL, RESULT])


def test_what_the_client_said_in_anthropic_s_words_is_kept() -> None:
    assert made({"reasoning_effort": "high"}, "claude-opus-4-8", thinking={"type": "disabled"}) == {}
    body: Json = {"max_tokens": 10_000, "messages": [HI], "output_config": {"format": {"type": "json_schema"}}}
    thinking({"reasoning_effort": "low"}, abilities("claude-opus-4-8"), body)
    assert body["output_config"] == {"format": {"type": "json_schema"}, "effort": "low"}


@pytest.mark.parametrize(
    ("chat", "model", "expected"),
    [
        ({"temperature": 0, "top_p": 0.5}, "claude-sonnet-4-0", {"temperature": 0, "top_p": 0.5}),
        ({"temperature": 1.7}, "claude-sonnet-4-0", {"temperature": 1}),
        ({"temperature": 0.3, "top_p": 0.5}, "claude-haiku-4-5", {"temperature": 0.3}),
        ({"top_p": 0.5}, "claude-haiku-4-5", {"top_p": 0.5}),
        ({"temperature": 0.3, "top_p": 0.5}, "claude-opus-4-7", {}),
        ({"temperature": None}, "claude-haiku-4-5", {}),
        ({"temperature": 0.3, "reasoning_effort": "low"}, "claude-haiku-4-5", budget(2048)),
        ({"temperature": 0.3, "reasoning_effort": "low"}, "claude-opus-4-6", adaptive("low")),
    ],
)
def test_sampling(chat: Json, model: str, expected: Json) -> None:
    assert expected == made(chat, model)


@pytest.mark.parametrize("field", ["temperature", "top_p"])
@pytest.mark.parametrize("value", ["warm", True, [1]])
def test_sampling_with_something_else_than_a_number_is_named(field: str, value: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        made({field: value}, "claude-sonnet-5")
    assert field == refused.value.param
