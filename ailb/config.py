"""The configuration: what may stand in `config.toml`, as tables of types. docs/configuration.md tells what each key means.

Every problem is a ConfigError with the table and key at which it is.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ailb import config_values as values
from ailb.config_errors import told
from ailb.environment import filled, overrides, put
from ailb.errors import ConfigError
from ailb.options import Hidden
from ailb.secret import Secret

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Bytes = Annotated[int, Field(ge=1024, le=1 << 40)]
Dollars = Annotated[float, Field(ge=0, le=1_000_000)]
Tokens = Annotated[int, Field(ge=1, le=1 << 40)]
Name = Annotated[str, AfterValidator(values.name)]
Host = Annotated[str, AfterValidator(values.host)]
Origin = Annotated[str, AfterValidator(values.origin)]
Network = Annotated[str, AfterValidator(values.network)]
Url = Annotated[str, AfterValidator(values.base_url)]
HeaderName = Annotated[str, AfterValidator(values.header)]
Text = Annotated[str, Field(min_length=1, max_length=256)]
Sticky = Annotated[str, AfterValidator(values.sticky)]


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class OpenTable(Table):
    """Keys that it does not know are options of what it names."""

    model_config = ConfigDict(extra="allow")

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Server(Table):
    host: Text = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65_535)
    engine: Literal["hypercorn", "uvicorn"] = "hypercorn"
    max_body_bytes: Bytes = 20 * 1024 * 1024
    body_seconds: Seconds = 30.0
    heartbeat_seconds: Seconds = 15.0
    write_seconds: Seconds = 30.0
    drain_seconds: Seconds = 30.0
    max_requests: int = Field(default=10_000, ge=1)
    workers: int = Field(default=1, ge=1, le=64)
    http2: bool = False
    tls_cert: Text | None = None
    tls_key: Text | None = None
    allowed_hosts: list[Host] = []
    cors_origins: list[Origin] = []
    trusted_proxies: list[Network] = []
    middleware: list[str] = []

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together")
        return self

    @model_validator(mode="after")
    def _who_speaks_it(self) -> Self:
        if self.http2 and self.engine != "hypercorn":
            raise ValueError('http2 needs engine = "hypercorn"')
        return self


class Auth(Table):
    admin_key: Annotated[Hidden, AfterValidator(values.admin_key)] | None = None
    required: bool = True


class Store(Table):
    url: Annotated[Hidden, AfterValidator(values.database)] = Secret("sqlite+aiosqlite:///ailb.db")
    week_starts: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = "monday"
    month_starts: int = Field(default=1, ge=1, le=28)
    patience: float = Field(default=1.0, ge=0.1, le=100)


class Log(Table):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Embed(OpenTable):
    embedder: Text = "local"
    model_path: Text | None = None
    threads: int = Field(default=1, ge=1, le=64)
    preload: bool = False


class Vectors(Table):
    url: Text = "./chroma"
    token: Hidden | None = None

    @model_validator(mode="after")
    def _token_for_a_server(self) -> Self:
        if self.token is not None and not self.url.startswith(("http://", "https://")):
            raise ValueError("a folder has no token; it is for a Chroma server")
        return self


class Layer(OpenTable):
    use: Text


class Timeouts(Table):
    connect: Seconds = 3.0
    first_token: Seconds = 120.0
    idle: Seconds = 60.0
    total: Seconds = 600.0


class Provider(OpenTable):
    name: Name
    kind: str = ""
    api_key: Hidden | None = None
    api_keys: Annotated[list[Hidden], Field(min_length=1, max_length=100)] | None = None
    base_url: Url | None = None
    models: list[Text] | None = None
    discover: bool | None = None
    discover_seconds: Annotated[float, Field(ge=1, le=86_400)] = 60.0
    health_seconds: Annotated[float, Field(ge=1, le=86_400)] | None = None
    headers: dict[HeaderName, Hidden] = {}
    query: dict[str, str] = {}
    timeouts: Timeouts = Timeouts()
    max_answer_bytes: Bytes = 64 * 1024 * 1024
    local: bool | None = None
    drain: bool = False
    drain_seconds: Seconds = 60.0
    drain_bytes: Bytes = 16 * 1024 * 1024
    when_env: Annotated[list[str], BeforeValidator(values.one_or_more)] = []
    stand_in: bool = False
    free: bool = False

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if self.api_key is not None and self.api_keys is not None:
            raise ValueError("has both api_key and api_keys; it takes one of them")
        return self

    @property
    def keys(self) -> tuple[Secret, ...]:
        """Each key once. `api_key` may hold several with commas in between, as an environment variable does: no provider's have any."""
        one = self.api_key.reveal() if self.api_key else ""
        keys = self.api_keys if self.api_keys is not None else [Secret(part.strip()) for part in one.split(",")]
        return tuple(dict.fromkeys(key for key in keys if key))


class Target(Table):
    provider: Text
    model: Text | None = None
    weight: float = Field(default=1.0, gt=0, le=1e6)
    priority: int = Field(default=0, ge=0, le=1000)
    max_parallel: int | None = Field(default=None, ge=1, le=1_000_000)
    context: Tokens | None = None
    lacks: list[str] | None = None
    tags: list[Text] = []


class Fallbacks(Table):
    any: list[Text] = []
    rate_limit: list[Text] = []
    context_length: list[Text] = []
    content_policy: list[Text] = []


class Model(Table):
    name: Text
    aliases: list[Text] = []
    targets: list[Target] = Field(min_length=1)
    strategy: Text | None = None
    sticky: Sticky | None = None
    retries: int | None = Field(default=None, ge=0, le=10)
    hedge: bool | None = None
    fallbacks: Annotated[Fallbacks, BeforeValidator(values.for_any_error)] = Fallbacks()


class Rated(Table):
    """Dollars for a million tokens; `request` is dollars for each request."""

    input: Dollars | None = None
    output: Dollars | None = None
    cache_read: Dollars | None = None
    cache_write: Dollars | None = None
    cache_write_1h: Dollars | None = None
    audio_input: Dollars | None = None
    reasoning: Dollars | None = None
    audio_output: Dollars | None = None
    request: Dollars | None = None

    @property
    def rated(self) -> set[str]:
        return self.model_fields_set & Rated.model_fields.keys()

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if self.rated and (self.input is None or self.output is None):
            raise ValueError("a price needs both input and output, if only as 0")
        return self


class Above(Rated):
    tokens: Tokens
    input: Dollars
    output: Dollars


class Price(Rated):
    model: Text
    provider: Text | None = None
    free: bool = False
    above: list[Above] = []
    max_output: Tokens | None = None
    context: Tokens | None = None

    @model_validator(mode="after")
    def _one_price(self) -> Self:
        if self.free and (self.rated or self.above):
            raise ValueError("what is free has no other price")
        if self.above and not self.rated:
            raise ValueError("above needs the price below it: input and output")
        if not (self.free or self.rated or self.max_output or self.context):
            raise ValueError("says nothing: it needs input and output, or free = true")
        thresholds = [above.tokens for above in self.above]
        if thresholds != sorted(set(thresholds)):
            raise ValueError("above must go from fewer tokens to more")
        return self


class Config(Table):
    default_model: str = ""
    server: Server = Server()
    auth: Auth = Auth()
    log: Log = Log()
    store: Store = Store()
    embed: Embed = Embed()
    vectors: Vectors = Vectors()
    layer: list[Layer] = Field(min_length=1)
    provider: list[Provider] = Field(min_length=1)
    model: list[Model] = []
    price: list[Price] = []


def written(path: Path) -> str:
    """What stands in the file. Raises ConfigError."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(str(path), "no such file; --config names another one") from None
    except OSError as problem:
        raise ConfigError(str(path), f"cannot be read: {problem.strerror}") from None
    except ValueError:
        raise ConfigError(str(path), "is not TOML: it is no UTF-8") from None


def read(path: Path, environ: Mapping[str, str], text: str | None = None) -> Config:
    """The config as the file and the environment together have it. `text`: what stood in the file, where that is known. Raises
    ConfigError.
    """
    text = written(path) if text is None else text
    try:
        return parse(tomllib.loads(text), environ)
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(str(path), f"is not TOML: {problem}") from None
    except ValueError:
        raise ConfigError(str(path), "is not TOML: it is no UTF-8, or a number in it is too long") from None
    except RecursionError:
        raise ConfigError(str(path), "is nested too deeply") from None


def parse(raw: Mapping[str, Any], environ: Mapping[str, str]) -> Config:
    """As `read`, from what stands in the file."""
    changes = overrides(raw, environ)
    for loc, (_, value) in changes.items():
        raw = put(raw, loc, value)
    raw = filled(raw, environ, changes)
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise told(error, Config, raw, {loc: variable for loc, (variable, _) in changes.items()}) from None
