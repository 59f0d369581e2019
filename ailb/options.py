"""A class built from a table of the config: its signature is the schema.

Positional parameters are services, injected by type; keyword-only parameters are options, validated against their annotations.
"""

import json
from collections.abc import Iterable, Mapping
from inspect import Parameter, signature
from typing import Annotated, Any, Final, get_type_hints

from pydantic import PlainValidator, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from ailb.config_errors import message, quoted, unknown
from ailb.errors import ConfigError
from ailb.secret import Secret

Services = Mapping[type, Any]


def secret(value: object) -> Secret:
    """For values that go into a header: visible ASCII."""
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ValueError("should be a valid string")
    if not value.isascii() or not value.isprintable():
        raise ValueError("has characters that cannot stand in a header")
    return Secret(value)


Hidden = Annotated[Secret, PlainValidator(secret)]
_HIDDEN: Final[tuple[tuple[Any, Any], ...]] = (
    (Secret, Hidden),
    (Secret | None, Hidden | None),
    (dict[str, Secret] | None, dict[str, Hidden] | None),
)


def construct(cls: Any, where: str, options: Mapping[str, Any], services: Services, also: Iterable[str] = ()) -> Any:
    """An instance of `cls`. Raises ConfigError naming the option: unknown, missing, of the wrong type; or the service nobody provides.

    `also` are keys that the table at `where` has besides the options.
    """
    parameters, hints = _signature(cls, where)
    injected = [_service(parameter, hints, where, services) for parameter in parameters.values() if _is_service(parameter, hints, services)]
    known = [name for name, parameter in parameters.items() if parameter.kind is Parameter.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            raise ConfigError(f"{where}.{name}", unknown("option", name, [*known, *also]))
    for name in known:
        if parameters[name].default is Parameter.empty and name not in options:
            raise ConfigError(f"{where}.{name}", "is missing")
    values = {name: checked(hints.get(name, Any), f"{where}.{name}", value) for name, value in options.items()}
    try:
        return cls(*injected, **values)
    except ValueError as problem:  # a constructor's own check of its options
        raise ConfigError(where, str(problem)) from problem


def checked(hint: Any, where: str, value: Any) -> Any:
    """`value` out of a file, as an instance of the type `hint`. Strict: no "5" for 5. Raises ConfigError."""
    hint = next((hidden for plain, hidden in _HIDDEN if hint == plain), hint)
    try:
        # TOML, as JSON, has no tuples, sets or dataclasses: pydantic's JSON mode takes lists and tables for them, and is strict otherwise.
        return TypeAdapter(hint).validate_json(json.dumps(value, default=_plain, allow_nan=False), strict=True)
    except PydanticSchemaGenerationError:
        raise ConfigError(where, f"cannot be set in a file: its type is {hint}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        inner = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"])
        raise ConfigError(where + inner, message(first)) from None
    except ValueError:
        raise ConfigError(where, "should be a finite number") from None


def _signature(cls: Any, where: str) -> tuple[dict[str, Parameter], dict[str, Any]]:
    if not isinstance(cls, type):
        raise ConfigError(where, "is not a class")
    try:
        parameters = signature(cls).parameters
        hints = get_type_hints(vars(cls).get("__init__", cls.__init__), include_extras=True)  # type: ignore[misc]
    except (ValueError, TypeError, NameError) as problem:
        raise ConfigError(where, f"the signature of {cls.__name__} cannot be read: {problem}") from None
    variable = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return {name: parameter for name, parameter in parameters.items() if parameter.kind not in variable}, hints


def _is_service(parameter: Parameter, hints: Mapping[str, Any], services: Services) -> bool:
    """A positional parameter; one that has a default may go without."""
    if parameter.kind is Parameter.KEYWORD_ONLY:
        return False
    return parameter.default is Parameter.empty or hints.get(parameter.name) in services


def _service(parameter: Parameter, hints: Mapping[str, Any], where: str, services: Services) -> Any:
    wanted = hints.get(parameter.name)
    if not isinstance(wanted, type) or wanted not in services:
        kind = getattr(wanted, "__name__", None) or quoted(str(wanted))
        there = ", ".join(sorted(service.__name__ for service in services)) or "none"
        raise ConfigError(where, f"no service of type {kind} for {parameter.name}; there are: {there} (options stand behind a *)")
    return services[wanted]


def _plain(value: Any) -> Any:
    """What a catalogue's row or a TOML date has, and JSON has not."""
    return list(value) if isinstance(value, Iterable) else str(value)
