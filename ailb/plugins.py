"""What is installed, by name: layers, dialects, providers and the catalogue. This is how the rest is found without being imported."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from ailb.config_errors import hint, quoted
from ailb.errors import ConfigError
from ailb.provider import Auth


class Row(Protocol):
    """A kind of provider as data. What else a row has is for its dialect's constructor."""

    @property
    def dialect(self) -> str: ...
    @property
    def base_url(self) -> str: ...
    @property
    def key_env(self) -> str: ...
    @property
    def auth(self) -> Auth: ...
    @property
    def query(self) -> Mapping[str, str]: ...
    @property
    def models(self) -> tuple[str, ...]: ...
    @property
    def local(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Plugins:
    """Names, and the `package.module:Class` behind each. `rows` are the kinds of provider that need no class of their own."""

    layers: Mapping[str, str]
    dialects: Mapping[str, str]
    providers: Mapping[str, str]
    rows: Mapping[str, Row]


def installed() -> Plugins:
    """From the entry points of all installed packages. Raises ConfigError when AILB's own are hidden behind others."""
    _check_home("middleware", "providers")
    points = entry_points()
    groups = {
        group: {point.name: point.value for point in points.select(group=f"ailb.{group}")}
        for group in ("layers", "dialects", "providers", "catalogs")
    }
    rows: dict[str, Row] = {}
    for where in groups["catalogs"].values():
        rows.update(named(where, "ailb.catalogs"))
    return Plugins(groups["layers"], groups["dialects"], groups["providers"], rows)


def named(name: str, where: str) -> Any:
    """What `package.module:Name` names. Raises ConfigError."""
    module, colon, attribute = name.partition(":")
    if not colon or not all(part.isidentifier() for part in [*module.split("."), attribute]):
        raise ConfigError(where, f"{quoted(name)} must be package.module:Class")
    try:
        found = import_module(module)
    # It may be a user's own file, and importing runs it: whatever is wrong with it is wrong with the configuration.
    except Exception as problem:
        raise ConfigError(where, f"module {module} cannot be imported: {type(problem).__name__}: {problem}") from problem
    if not hasattr(found, attribute):
        raise ConfigError(where, f"module {module} has no {attribute}{hint(attribute, vars(found))}")
    return getattr(found, attribute)


def _check_home(*packages: str) -> None:
    """These are plain names: a folder of the same name in the working directory would be imported instead."""
    home = Path(__file__).resolve().parent.parent
    for package in packages:
        spec = find_spec(package)
        if spec is None or not spec.origin or Path(spec.origin).resolve().parent.parent != home:
            raise ConfigError("", f"the package {package} is not AILB's own: something of the same name hides it")
