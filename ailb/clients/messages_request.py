"""The body of Anthropic's Messages, as a chat completion request.

`max_tokens` keeps its name: it is the one that every compatible server knows; a dialect whose provider wants `max_completion_tokens`
has to say so itself. What only tunes Anthropic's machinery is left out (`cache_control`, `top_k`, `service_tier`, `context_management`,
...); what would change the answer and cannot be had elsewhere is refused by name (`mcp_servers`, Anthropic's own tools, files by id).
Source: https://platform.claude.com/docs/en/api/messages, https://platform.openai.com/docs/api-reference/chat/create
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from ailb.clients.messages_tools import response_format, tools
from ailb.clients.messages_turns import conversation
from ailb.errors import BadRequest

Json = dict[str, Any]

MOST_USER: Final = 64
"""Characters that OpenAI takes as a user's name."""

_EFFORTS: Final = {"low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "xhigh"}
_BUDGETS: Final = ((4096, "low"), (16_384, "medium"))
"""Below so many tokens of thinking, that much effort; from there on it is high."""


def chat_body(body: Mapping[str, Any], *, stream: bool) -> Json:
    """Shares parts with `body`. Raises BadRequest naming the field."""
    if body.get("mcp_servers"):
        raise BadRequest("mcp_servers can only be used with Anthropic", param="mcp_servers")
    made: Json = {"messages": conversation(body), "max_tokens": body["max_tokens"]}
    made |= {field: body[field] for field in ("model", "temperature", "top_p") if body.get(field) is not None}
    if stream:
        made |= {"stream": True, "stream_options": {"include_usage": True}}
    return made | _stops(body) | _user(body) | _effort(body) | tools(body) | _format(body)


def _stops(body: Mapping[str, Any]) -> Json:
    stops = body.get("stop_sequences") or []
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise BadRequest("stop_sequences must be a list of texts", param="stop_sequences")
    return {"stop": stops} if stops else {}


def _user(body: Mapping[str, Any]) -> Json:
    """A name that is too long is told by its hash: as steady, and nobody else's."""
    user = _object(body, "metadata").get("user_id")
    if not isinstance(user, str) or not user:
        return {}
    return {"user": user if len(user) <= MOST_USER else sha256(user.encode()).hexdigest()}


def _effort(body: Mapping[str, Any]) -> Json:
    thinking = _object(body, "thinking")
    budget, effort = thinking.get("budget_tokens"), _object(body, "output_config").get("effort")
    if thinking.get("type") == "disabled":
        return {}
    if isinstance(effort, str) and effort in _EFFORTS:
        return {"reasoning_effort": _EFFORTS[effort]}
    if thinking.get("type") != "enabled" or not isinstance(budget, int):
        return {}
    return {"reasoning_effort": next((word for below, word in _BUDGETS if budget < below), "high")}


def _format(body: Mapping[str, Any]) -> Json:
    inner = _object(body, "output_config").get("format")
    return response_format(inner, "output_config.format") or response_format(body.get("output_format"), "output_format")


def _object(body: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = body.get(field)
    if not isinstance(value, Mapping | None):
        raise BadRequest(f"{field} must be an object", param=field)
    return value or {}
