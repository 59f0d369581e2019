"""What the environment changes of what the file says. Pure: the environment is a mapping like any other.

A variable that is empty counts as not set, except inside `${NAME}`.
"""

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any, Final

from ailb.config_errors import Loc, place
from ailb.errors import ConfigError
from ailb.secret import Secret

_HOLE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PORT = re.compile(r"[0-9]{1,9}")
_CONFIDENTIAL = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL")

OLLAMA_PORT: Final = 11434


def overrides(raw: Mapping[str, Any], environ: Mapping[str, str]) -> dict[Loc, tuple[str, Any]]:
    """What wins over the file: where it goes, the variable that says so, and the value."""
    return {loc: (variable, read(environ[variable])) for variable, loc, read in _variables(raw, environ) if environ.get(variable)}


def put(value: Any, loc: Sequence[str | int], new: Any) -> Any:
    """`value` with `new` at `loc`. Where the way does not lead on, nothing is changed: the schema will complain."""
    if not loc:
        return new
    step, rest = loc[0], loc[1:]
    if isinstance(value, list) and isinstance(step, int):
        return [*value[:step], put(value[step], rest, new), *value[step + 1 :]]
    if isinstance(value, Mapping):
        return {**value, step: put(value.get(step, {}), rest, new)}
    return value


def filled(raw: Mapping[str, Any], environ: Mapping[str, str], kept: Container[Loc]) -> dict[str, Any]:
    """`raw` with every `${NAME}` replaced, except at `kept`. Raises ConfigError for a variable that is not set.

    Of a provider that is switched off, keys whose variables are not set are left out: they are why it is off.
    """

    def fill(value: Any, loc: Loc) -> Any:
        if loc in kept:
            return value
        if isinstance(value, str):
            return _HOLE.sub(lambda hole: variable(hole[1], loc), value)
        if isinstance(value, Mapping):
            if loc[0] == "provider" and len(loc) == 2 and unset(value.get("when_env"), environ):
                value = {key: inner for key, inner in value.items() if all(name in environ for name in _holes(inner))}
            return {key: fill(inner, (*loc, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [fill(inner, (*loc, index)) for index, inner in enumerate(value)]
        return value

    def variable(name: str, loc: Loc) -> str:
        if name not in environ:
            what = f"the environment variable {name} is not set" if _NAME.fullmatch(name) else "${...} must hold the name of a variable"
            raise ConfigError(place(raw, loc), what)
        return environ[name]

    return {key: fill(value, (key,)) for key, value in raw.items()}


def unset(when_env: object, environ: Mapping[str, str]) -> str:
    """Why a provider with this `when_env` is off; empty when it is on."""
    names = [when_env] if isinstance(when_env, str) else when_env
    if not isinstance(names, list) or not names or any(environ.get(name) for name in names if isinstance(name, str)):
        return ""
    return f"{' or '.join(map(str, names))} is not set"


def confidential(environ: Mapping[str, str]) -> list[Secret]:
    """The values that no error may show. Very short ones are no secrets, and would blot out half of every sentence."""
    values = [value for name, value in environ.items() if _CONFIDENTIAL.search(name.upper())]
    parts = [part.strip() for value in values if "," in value for part in value.split(",")]  # several keys of a provider
    return [Secret(value) for value in (*values, *parts) if len(value) > 5]


def _variables(raw: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[tuple[str, Loc, Callable[[str], Any]]]:
    yield "HOST", ("server", "host"), str
    yield "HTTP_PORT", ("server", "port"), _port
    yield "LOG_LEVEL", ("log", "level"), str.lower
    yield "DEFAULT_MODEL", ("default_model",), str
    yield "AILB_ADMIN_KEY", ("auth", "admin_key"), str
    yield "DATABASE_URL", ("store", "url"), str
    yield "CHROMA_URL", ("vectors", "url"), str
    for index, layer in _tables(raw, "layer"):
        if layer.get("use") == "routing":
            yield "ROUTING_STRATEGY", ("layer", index, "strategy"), str
        if layer.get("use") == "ratelimit":
            yield "REDIS_URL", ("layer", index, "redis"), str
    for index, provider in _tables(raw, "provider"):
        name = str(provider.get("name", "")).upper().replace("-", "_")
        if name == "OLLAMA":
            yield "OLLAMA_HOST", ("provider", index, "base_url"), _ollama_url
        # A list may well have this very variable as one of its keys.
        if "api_keys" not in provider:
            yield f"{name}_API_KEY", ("provider", index, "api_key"), str
        yield f"{name}_BASE_URL", ("provider", index, "base_url"), str
        # Ollama has a variable of the same name, for the directory where it keeps its models.
        if not environ.get(f"{name}_MODELS", "").startswith(("/", "~", ".")):
            yield f"{name}_MODELS", ("provider", index, "models"), _list


def _tables(raw: Mapping[str, Any], key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    tables = raw.get(key)
    for index, table in enumerate(tables if isinstance(tables, list) else ()):
        if isinstance(table, Mapping):
            yield index, table


def _holes(value: Any) -> list[str]:
    """The variables that are named anywhere in `value`."""
    return _HOLE.findall(repr(value))


def _port(value: str) -> int | str:
    return int(value) if _PORT.fullmatch(value) else value


def _list(value: str) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()]


def _ollama_url(value: str) -> str:
    """As Ollama reads its own variable: scheme and port may be missing; 0.0.0.0 is where it listens, not where it is.

    Source: https://github.com/ollama/ollama/blob/main/envconfig/config.go
    """
    if "://" in value:
        return value
    host, colon, port = value.strip().strip("\"'").rpartition(":")
    if not colon or "]" in port:
        host, port = value.strip(), str(OLLAMA_PORT)
    host = "127.0.0.1" if host in ("", "0.0.0.0") else host  # noqa: S104 - compared, not bound
    return f"http://{host}:{port or OLLAMA_PORT}"
