"""A class built from a table of the config: its signature is the schema.

Positional parameters are services, injected by type; keyword-only parameters are options, validated against their annotations.
"""

from collections.abc import Mapping
from inspect import Parameter, signature
from typing import Any, get_type_hints

from pydantic import ConfigDict, ValidationError, create_model

from ailb.errors import ConfigError
from ailb.models import nearest


def construct(cls: Any, where: str, options: Mapping[str, Any], services: Mapping[type, Any]) -> Any:
    """An instance of `cls`. Raises ConfigError naming the option: unknown, missing, of the wrong type; or the service nobody provides."""
    hints = get_type_hints(cls.__init__)
    parameters = [p for p in signature(cls).parameters.values() if p.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)]
    injected = []
    for parameter in parameters:
        if parameter.kind is not Parameter.KEYWORD_ONLY:
            wanted: Any = hints.get(parameter.name)
            if wanted not in services:
                raise ConfigError(where, f"{cls.__name__} wants a service {parameter.name!r} that there is not")
            injected.append(services[wanted])
    schema = {p.name: (hints.get(p.name, Any), _default(p)) for p in parameters if p.kind is Parameter.KEYWORD_ONLY}
    return cls(*injected, **checked(schema, where, options))


def checked(schema: Mapping[str, tuple[Any, Any]], where: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """`options` as the schema `{name: (annotation, default or ...)}` has them."""
    for name in options:
        if name not in schema:
            raise ConfigError(f"{where}.{name}", unknown("option", name, schema))
    fields: Any = dict(schema)
    model = create_model("Options", __config__=ConfigDict(strict=True, arbitrary_types_allowed=True), **fields)
    try:
        instance = model(**options)
    except ValidationError as error:
        raise told(error, where) from None
    return {name: getattr(instance, name) for name in schema}


def told(error: ValidationError, where: str) -> ConfigError:
    """pydantic's first complaint as ours: the key, and what is wrong with it, never its value."""
    first = error.errors(include_input=False, include_url=False)[0]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    return ConfigError(f"{where}{path}" if where else path.lstrip("."), str(first["msg"]))


def unknown(what: str, name: str, known: Any) -> str:
    like = nearest(name, known) or sorted(known)
    hint = f"; did you mean {', '.join(like)}?" if like else ""
    return f"no such {what}{hint}"


def _default(parameter: Parameter) -> Any:
    return ... if parameter.default is Parameter.empty else parameter.default
