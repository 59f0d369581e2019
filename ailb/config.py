"""The configuration: what may stand in `config.toml`, and what the environment changes of it.

Nothing here opens anything but the file. Every problem is a ConfigError with the table and key at which it is.
"""

import re
import tomllib
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ailb.errors import ConfigError
from ailb.options import told, unknown
from ailb.secret import Secret

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _secret(value: object) -> Secret | None:
    if value is None or isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a text")
    return Secret(value)


def _admin_key(value: Secret | None) -> Secret | None:
    if value is not None and len(value.reveal()) < 16:
        raise ValueError("must have at least 16 characters; `openssl rand -hex 32` makes a good one")
    return value


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must have no credentials, query or fragment")
    return value.rstrip("/")


def _networks(values: list[str]) -> list[str]:
    for value in values:
        ip_network(value)
    return values


Seconds = Annotated[float, Field(gt=0, le=86400)]
Hidden = Annotated[Secret | None, BeforeValidator(_secret)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Url = Annotated[str, AfterValidator(_base_url)]


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)


class Server(Table):
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    engine: Literal["hypercorn", "uvicorn"] = "hypercorn"
    max_body_bytes: int = Field(default=20 * 1024 * 1024, ge=1024)
    body_seconds: Seconds = 30.0
    heartbeat_seconds: Seconds = 15.0
    write_seconds: Seconds = 30.0
    drain_seconds: Seconds = 30.0
    max_requests: int = Field(default=10_000, ge=1)
    http2: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None
    allowed_hosts: list[str] = []
    cors_origins: list[str] = []
    trusted_proxies: Annotated[list[str], AfterValidator(_networks)] = []
    middleware: list[str] = []

    @model_validator(mode="after")
    def _both_or_none(self) -> "Server":
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("tls_cert and tls_key go together")
        return self


class Auth(Table):
    admin_key: Annotated[Hidden, AfterValidator(_admin_key)] = None
    required: bool = True


class Log(Table):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Timeouts(Table):
    connect: Seconds = 3.0
    first_token: Seconds = 120.0
    idle: Seconds = 60.0
    total: Seconds = 600.0


class Layer(Table):
    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    use: str

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Provider(Table):
    """Keys that are not here belong to the provider's kind: they are options of its dialect (or of echo)."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, arbitrary_types_allowed=True)
    name: Name
    kind: str = ""
    api_key: Hidden = None
    base_url: Url | None = None
    models: list[str] | None = None
    discover: bool | None = None
    discover_seconds: Seconds = 60.0
    headers: dict[str, Annotated[Secret, BeforeValidator(_secret)]] = {}
    query: dict[str, str] = {}
    timeouts: Timeouts = Timeouts()
    max_answer_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    local: bool | None = None
    when_env: str | list[str] = []
    stand_in: bool = False

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class TargetTable(Table):
    provider: str
    model: str
    weight: float = Field(default=1.0, gt=0, le=1e6)
    priority: int = Field(default=0, ge=0, le=1000)


class Model(Table):
    name: str = Field(min_length=1, max_length=256)
    targets: list[TargetTable] = Field(min_length=1)


class Config(Table):
    default_model: str = ""
    server: Server = Server()
    auth: Auth = Auth()
    log: Log = Log()
    layer: list[Layer] = Field(min_length=1)
    provider: list[Provider] = Field(min_length=1)
    model: list[Model] = []
    switched_off: dict[str, str] = {}
    """Not for the file: the providers that are not on, and why."""


def read(path: Path, environ: Mapping[str, str]) -> Config:
    """The config as the file and the environment together have it. Raises ConfigError."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(str(path), "no such file") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(str(path), f"cannot be read: {type(problem).__name__}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise ConfigError(str(path), f"is not TOML: {problem}") from None
    return parse(raw, environ)


def parse(raw: Mapping[str, Any], environ: Mapping[str, str]) -> Config:
    """As `read`, from what stands in the file."""
    raw = _overridden(_switched(raw, environ), environ)
    raw = {key: _filled(value, key, environ) for key, value in raw.items()}
    for key in raw:
        if key not in Config.model_fields:
            raise ConfigError(key, unknown("table or key", key, Config.model_fields))
    models: dict[str, type[BaseModel]] = {"server": Server, "auth": Auth, "log": Log}
    for table, model in models.items():
        for key in raw.get(table) or {} if isinstance(raw.get(table), Mapping) else ():
            if key not in model.model_fields:
                raise ConfigError(f"[{table}].{key}", unknown("key", key, model.model_fields))
    try:
        return Config(**raw)
    except ValidationError as error:
        raise told(error, "") from None


def _switched(raw: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Without the providers whose `when_env` is not there, and without stand-ins where another one is on.

    They go before variables are filled in, because theirs are the ones that are missing.
    """
    providers = raw.get("provider")
    if not isinstance(providers, list) or not all(isinstance(p, Mapping) for p in providers):
        return dict(raw)
    off: dict[str, str] = {}
    on = []
    for provider in providers:
        wanted = provider.get("when_env") or []
        names = [wanted] if isinstance(wanted, str) else [str(name) for name in wanted]
        if not names or any(environ.get(name) for name in names):
            on.append(provider)
        else:
            off[str(provider.get("name"))] = f"{' or '.join(names)} is not set"
    if real := [provider for provider in on if not provider.get("stand_in")]:
        off.update({str(provider.get("name")): "only a stand-in" for provider in on if provider.get("stand_in")})
        on = real
    return {**raw, "provider": on, "switched_off": off}


def _overridden(raw: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """The variables of the usage guide win over the file."""
    raw = dict(raw)
    for variable, table, key in (("HOST", "server", "host"), ("LOG_LEVEL", "log", "level"), ("AILB_ADMIN_KEY", "auth", "admin_key")):
        if value := environ.get(variable):
            raw[table] = {**_table(raw, table), key: value.lower() if key == "level" else value}
    if port := environ.get("HTTP_PORT"):
        if not port.isdecimal():
            raise ConfigError("HTTP_PORT", "must be a port number")
        raw["server"] = {**_table(raw, "server"), "port": int(port)}
    if model := environ.get("DEFAULT_MODEL"):
        raw["default_model"] = model
    if (strategy := environ.get("ROUTING_STRATEGY")) and isinstance(raw.get("layer"), list):
        raw["layer"] = [
            {**layer, "strategy": strategy} if isinstance(layer, Mapping) and layer.get("use") == "routing" else layer
            for layer in raw["layer"]
        ]
    if isinstance(raw.get("provider"), list):
        raw["provider"] = [_provider(p, environ) if isinstance(p, Mapping) else p for p in raw["provider"]]
    return raw


def _provider(provider: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    prefix = str(provider.get("name", "")).upper().replace("-", "_")
    changed = dict(provider)
    for key in ("api_key", "base_url"):
        if value := environ.get(f"{prefix}_{key.upper()}"):
            changed[key] = value
    if models := environ.get(f"{prefix}_MODELS"):
        changed["models"] = [name.strip() for name in models.split(",") if name.strip()]
    return changed


def _table(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = raw.get(name, {})
    if not isinstance(table, Mapping):
        raise ConfigError(f"[{name}]", "must be a table")
    return table


def _filled(value: Any, where: str, environ: Mapping[str, str]) -> Any:
    """`${NAME}` in any text becomes the variable's value."""
    if isinstance(value, str):

        def variable(found: re.Match[str]) -> str:
            name = found[1]
            if name not in environ:
                raise ConfigError(where, f"the environment variable {name} is not set")
            return environ[name]

        return _VARIABLE.sub(variable, value)
    if isinstance(value, Mapping):
        return {key: _filled(inner, f"{where}.{key}", environ) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, f"{where}[{index}]", environ) for index, inner in enumerate(value)]
    return value
