"""A chat completion request, as the body of Anthropic's Messages.

What Anthropic has no word for and what only tunes the answer is left out (`seed`, `logit_bias`, penalties, `store`, ...); what would
change the answer's shape is refused by name (`n`, `logprobs`, `audio`, ...). Fields that OpenAI does not know pass through: they are
Anthropic's own (`thinking`, `top_k`, `mcp_servers`, `cache_control`, ...).
Sources: https://platform.claude.com/docs/en/api/messages, https://platform.claude.com/docs/en/api/openai-sdk
"""

from collections.abc import Mapping
from typing import Any, Final

from ailb.errors import BadRequest
from providers.anthropic_models import Abilities, abilities
from providers.anthropic_schema import closed
from providers.anthropic_thinking import sampling, thinking
from providers.anthropic_tools import JSON_ONLY, JSON_TOOL, answer_schema, choice, json_tool, tools
from providers.anthropic_turns import conversation, tools_used

Body = dict[str, Any]

_TALK: Final = frozenset(("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "stop"))
_TUNING: Final = frozenset(("temperature", "top_p", "reasoning_effort", "response_format", "service_tier", "user", "metadata"))
_TOOLS: Final = frozenset(("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"))
_REFUSED: Final = frozenset(("n", "logprobs", "top_logprobs", "audio", "modalities", "web_search_options"))
_IGNORED: Final = frozenset(("logit_bias", "seed", "presence_penalty", "frequency_penalty", "store", "prediction", "verbosity"))
_CACHING: Final = frozenset(("prompt_cache_key", "prompt_cache_retention", "safety_identifier"))
_OPENAI: Final = _TALK | _TUNING | _TOOLS | _REFUSED | _IGNORED | _CACHING
_ONLY: Final[Mapping[str, tuple[Any, ...]]] = {
    "n": (None, 1),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
    "audio": (None,),
    "modalities": (None, [], ["text"]),
    "web_search_options": (None,),
}
_TIERS: Final = {"auto": "auto", "priority": "auto", "default": "standard_only", "standard_only": "standard_only"}
_BETAS: Final = {"file": "files-api-2025-04-14"}


def messages_body(chat: Mapping[str, Any], model: str, *, stream: bool, default_max_tokens: int | None = None) -> Body:
    """Raises BadRequest naming the field."""
    for field, fine in _ONLY.items():
        if chat.get(field) not in fine:
            raise BadRequest(f"{field} is not something that this provider can do", param=field)
    able = abilities(model)
    system, turns = conversation(chat["messages"])
    own = {field: value for field, value in chat.items() if field not in _OPENAI and value is not None}
    limit = chat.get("max_completion_tokens") or chat.get("max_tokens") or default_max_tokens or able.max_tokens
    body: Body = {"model": model, "max_tokens": limit, **own, "messages": turns}
    if system:
        body["system"] = system
    if stream:
        body["stream"] = True
    body |= _stops(chat) | _account(chat) | _tools(chat, able, body)
    body |= _answer(chat, able, body)
    thinking(chat, able, body)
    sampling(chat, able, body)
    return body


def betas(body: Mapping[str, Any]) -> list[str]:
    """The features of `body` that Anthropic wants announced in `anthropic-beta`."""
    sources = [block.get("source") for turn in body["messages"] for block in turn["content"]]
    kinds = [source.get("type") for source in sources if isinstance(source, Mapping)]
    return [beta for kind, beta in _BETAS.items() if kind in kinds]


def _stops(chat: Mapping[str, Any]) -> Body:
    stop = chat.get("stop")
    listed = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
        raise BadRequest("stop must be a text or a list of texts", param="stop")
    kept = [text for text in listed if text.strip()]  # Anthropic refuses blank ones
    return {"stop_sequences": kept} if kept else {}


def _account(chat: Mapping[str, Any]) -> Body:
    """On whose behalf, and in which service tier."""
    made: Body = {}
    metadata = chat.get("metadata")
    named = metadata.get("user_id") if isinstance(metadata, Mapping) else None
    user = named or chat.get("user") or chat.get("safety_identifier")
    if isinstance(user, str):
        made["metadata"] = {"user_id": user}
    tier = chat.get("service_tier")
    if isinstance(tier, str) and tier in _TIERS:
        made["service_tier"] = _TIERS[tier]
    return made


def _tools(chat: Mapping[str, Any], able: Abilities, body: Body) -> Body:
    if offered := tools(chat, able):
        chosen = choice(chat)
        return {"tools": offered, **({"tool_choice": chosen} if chosen else {})}
    if used := tools_used(body["messages"]):  # a conversation with calls in it must say which tools there were
        return {"tools": [{"name": name, "input_schema": {"type": "object"}} for name in used], "tool_choice": {"type": "none"}}
    return {}


def _answer(chat: Mapping[str, Any], able: Abilities, body: Body) -> Body:
    """JSON by schema; where the model has no structured output, through a tool that it is made to call."""
    schema = answer_schema(chat)
    if schema is None:
        return {}
    if not able.structured:
        offered = body.get("tools", [])
        usable = offered and body.get("tool_choice", {}).get("type") != "none"
        made_to = {"type": "any"} if usable else {"type": "tool", "name": JSON_TOOL}
        return {"tools": [*offered, json_tool(schema)], "tool_choice": made_to}
    if not schema:
        return {"system": [*_system(body), {"type": "text", "text": JSON_ONLY}]}
    config = body.get("output_config")
    format = {"type": "json_schema", "schema": closed(schema)}
    return {"output_config": {**(config if isinstance(config, Mapping) else {}), "format": format}}


def _system(body: Body) -> list[Any]:
    system = body.get("system", [])
    return system if isinstance(system, list) else [{"type": "text", "text": system}]
