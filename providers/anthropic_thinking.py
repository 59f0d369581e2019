"""How much Claude thinks, and with what it may not be combined.

With thinking on, `temperature` and `top_p` are not taken; with a budget, neither are a forced tool nor tool results whose call came
without its thinking. In each case the answer matters more than the thinking, so it is the thinking that goes.
Source: https://platform.claude.com/docs/en/build-with-claude/thinking, .../effort, .../extended-thinking
"""

from collections.abc import Mapping
from typing import Any, Final

from ailb.errors import BadRequest
from providers.anthropic_models import Abilities
from providers.anthropic_tools import forced
from providers.anthropic_turns import unsigned_loop

_BUDGETS: Final = {"none": 0, "minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 24_576, "max": 32_768}
LEAST_BUDGET: Final = 1024
_SHARE: Final = 0.8
"""The part of `max_tokens` that thinking may use up; the rest is for the answer."""


def thinking(chat: Mapping[str, Any], able: Abilities, body: dict[str, Any]) -> None:
    """Puts `thinking` and `output_config.effort` into `body`. What the client said in Anthropic's own words is kept."""
    effort = chat.get("reasoning_effort")
    if effort is not None and (not isinstance(effort, str) or effort not in _BUDGETS):
        raise BadRequest(f"reasoning_effort must be one of {', '.join(_BUDGETS)}", param="reasoning_effort")
    if "thinking" in body:
        if _kind(body) == "enabled" and unsigned_loop(body["messages"]):
            del body["thinking"]
    elif effort is not None and able.thinking == "adaptive":
        _adapt(effort, able, body)
    elif effort is not None and able.thinking == "budget":
        _budget(_BUDGETS[effort], body)


def sampling(chat: Mapping[str, Any], able: Abilities, body: dict[str, Any]) -> None:
    """Puts `temperature` (no more than 1, Anthropic's highest) and `top_p` into `body` where the model takes them."""
    temperature, top_p = _number(chat, "temperature"), _number(chat, "top_p")
    if not able.sampling or _kind(body) in ("enabled", "adaptive"):
        return
    if temperature is not None:
        body["temperature"] = min(temperature, 1)
    if top_p is not None and (able.both or temperature is None):
        body["top_p"] = top_p


def _adapt(effort: str, able: Abilities, body: dict[str, Any]) -> None:
    if effort == "none" and able.quiet != "lowest":
        if able.quiet == "disable":
            body["thinking"] = {"type": "disabled"}
        return
    words = {"none": "low", "minimal": "low", "xhigh": "xhigh" if able.xhigh else "high"}
    config = body.get("output_config")
    body["output_config"] = {**(config if isinstance(config, Mapping) else {}), "effort": words.get(effort, effort)}
    if not forced(body.get("tool_choice")):
        body["thinking"] = {"type": "adaptive", "display": "summarized"}


def _budget(wanted: int, body: dict[str, Any]) -> None:
    budget = min(wanted, int(body["max_tokens"] * _SHARE))
    if budget >= LEAST_BUDGET and not forced(body.get("tool_choice")) and not unsigned_loop(body["messages"]):
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _kind(body: Mapping[str, Any]) -> Any:
    given = body.get("thinking")
    return given.get("type") if isinstance(given, Mapping) else None


def _number(chat: Mapping[str, Any], field: str) -> float | int | None:
    value = chat.get(field)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise BadRequest(f"{field} must be a number", param=field)
    return value
