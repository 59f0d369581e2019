"""JSON schemas, cut down to what Anthropic's grammar takes.

Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs (JSON Schema limitations)
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from ailb.errors import BadRequest

MOST_DEEP: Final = 64

_NUMBER_RULES: Final = frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"))
_SIZE_RULES: Final = frozenset(("minLength", "maxLength", "maxItems", "uniqueItems", "minProperties", "maxProperties"))
_NAME_RULES: Final = frozenset(("patternProperties", "propertyNames"))
_REFUSED: Final = _NUMBER_RULES | _SIZE_RULES | _NAME_RULES
_FORMATS: Final = frozenset(("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"))
_MAPS: Final = frozenset(("properties", "$defs", "definitions"))
_LISTS: Final = frozenset(("anyOf", "allOf", "oneOf"))


def closed(schema: Any, depth: int = 0) -> Any:
    """The schema with its objects closed; rules that the grammar refuses are told in the description instead.

    Raises BadRequest for one that is nested too deep.
    """
    if depth > MOST_DEEP:
        raise BadRequest(f"the JSON schema is nested deeper than {MOST_DEEP} levels", param="response_format")
    if not isinstance(schema, Mapping):
        return schema
    kept = {_name(key): _inner(key, value, depth + 1) for key, value in schema.items() if _told(key, value)}
    if rules := {key: value for key, value in schema.items() if not _told(key, value)}:
        kept["description"] = "\n\n".join(filter(None, (_text(schema.get("description")), orjson.dumps(rules).decode())))
    if schema.get("type") == "object" or "properties" in schema:
        kept["additionalProperties"] = False
    return kept


def _told(key: str, value: Any) -> bool:
    if key == "minItems":
        return value in (0, 1)
    if key == "format":
        return isinstance(value, str) and value in _FORMATS
    return key not in _REFUSED


def _name(key: str) -> str:
    return "anyOf" if key == "oneOf" else key


def _inner(key: str, value: Any, depth: int) -> Any:
    if key in _MAPS and isinstance(value, Mapping):
        return {name: closed(schema, depth) for name, schema in value.items()}
    if key in _LISTS and isinstance(value, list):
        return [closed(schema, depth) for schema in value]
    return closed(value, depth) if key == "items" else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
