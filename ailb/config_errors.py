"""What is wrong with a configuration, in the file's own terms: the table, the key, the nearest name that there is. Never a value."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ailb.errors import ConfigError
from ailb.models import nearest

Loc = tuple[str | int, ...]
"""The way to a value: keys and list indices."""

_TITLES: Final = {"layer": "use", "provider": "name", "model": "name", "price": "model"}
_INNARDS = re.compile(r" after validation, not \d+$| or instance of \w+$")
"""What pydantic says of itself."""

_BARE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def place(raw: Mapping[str, Any], loc: Loc) -> str:
    """`loc` as the file has it: `[server].port`, `[[provider]] "openai".timeouts.connect`, `default_model`."""
    table, *keys = loc
    head = _step(table).lstrip(".")
    if table in _TITLES:
        head = f"[[{table}]]"
        if keys:
            head += " " + _title(raw, str(table), keys.pop(0))
    elif keys or isinstance(raw.get(str(table)), Mapping):
        head = f"[{head}]"
    return head + "".join(map(_step, keys))


def told(error: ValidationError, model: type[BaseModel], raw: Mapping[str, Any], origins: Mapping[Loc, str]) -> ConfigError:
    """pydantic's first complaint as ours, an unknown key before all else: it is why another one is missing.

    `origins` are the environment's variables that stand in for what the file says.
    """
    errors = error.errors(include_url=False, include_input=False)
    worst = min(errors, key=lambda each: each["type"] != "extra_forbidden")
    loc = tuple(step for step in worst["loc"] if step != "[key]")
    origin = f" (from {origins[loc]})" if loc in origins else ""
    return ConfigError(place(raw, loc) + origin, _problem(worst, loc, model, raw))


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """That there is no such thing, and what there is instead."""
    words = sorted(known)
    there = f"; there are {', '.join(words)}" if words else ""
    return f"no such {what}" + (hint(name, words) or there)


def hint(name: str, known: Iterable[str]) -> str:
    """The nearest of the known words, as the end of a sentence; empty where none is near."""
    like = nearest(name, known)
    return f"; did you mean {like[0]}?" if like else ""


def message(error: ErrorDetails) -> str:
    """What pydantic says, as the end of a sentence that a key began."""
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    text = _INNARDS.sub("", error["msg"].removeprefix("Input "))
    return text[:1].lower() + text[1:]


def quoted(text: str) -> str:
    """`text` on one line, short enough for an error."""
    return json.dumps(text[:80], ensure_ascii=False)


def _problem(error: ErrorDetails, loc: Loc, model: type[BaseModel], raw: Mapping[str, Any]) -> str:
    *way, key = loc
    known = _keys(model, way)
    if error["type"] == "extra_forbidden":
        return unknown("key", str(key), known)
    if error["type"] == "missing" and (like := nearest(str(key), [name for name in _table(raw, way) if name not in known])):
        return f"is missing; is {like[0]} meant to be it?"
    return message(error)


def _keys(model: type[BaseModel], way: Iterable[str | int]) -> list[str]:
    """The keys of the table at `way`."""
    inner: type[BaseModel] | None = model
    for step in way:
        if isinstance(step, str) and inner is not None:
            field = inner.model_fields.get(step)
            inner = _model_in(field.annotation) if field else None
    return list(inner.model_fields) if inner else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _table(raw: Any, way: Iterable[str | int]) -> Iterable[str]:
    for step in way:
        raw = raw[step]
    return raw if isinstance(raw, Mapping) else ()


def _title(raw: Mapping[str, Any], table: str, index: str | int) -> str:
    """The table's own name, or its number where it has none."""
    try:
        name = raw[table][index][_TITLES[table]]
    except (KeyError, IndexError, TypeError):
        name = None
    return quoted(name) if isinstance(name, str) and name else f"number {index + 1}" if isinstance(index, int) else str(index)


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _BARE.fullmatch(step) else f".{quoted(step)}"
