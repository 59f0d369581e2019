"""What layers may ask for by type: made when the first one asks, so that a configuration that needs no store opens none."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ailb.clock import Clock
from ailb.config import Config, read
from ailb.embed import Embedders
from ailb.embedding import Embedded
from ailb.errors import ConfigError
from ailb.keys import Keys
from ailb.ledger import Ledger
from ailb.records import Records
from ailb.replays import Replays
from ailb.retrieval import Shelves
from ailb.sessions import Sessions
from ailb.tally import Tally

if TYPE_CHECKING:
    from ailb.store.store import Store

_STORED: Final[Mapping[type, str]] = {
    Ledger: "ledger",
    Keys: "keys",
    Replays: "replays",
    Sessions: "sessions",
    Embedded: "embeddings",
    Shelves: "library",
}
"""The services in the store, by the name of its attribute."""

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Services(Mapping[type, Any]):
    """`plain` are the services without a store. `path` and `environ` are where the configuration is, which says where the store is;
    `text` is taken for what stands in the file.
    """

    def __init__(self, plain: Mapping[type, Any], path: Path, environ: Mapping[str, str], text: str | None = None) -> None:
        self._plain = {Records: Records(), Embedders: Embedders(), **plain}
        self._path = path
        self._environ = environ
        self._text = text
        self._started = False
        self.store: Store | None = None
        """Made, but not opened; None as long as nobody has asked for what is in it."""

    def start(self) -> "Store | None":
        """The store to be opened. After this none is made any more."""
        self._started = True
        return self.store

    def __getitem__(self, service: type) -> Any:
        """Raises ConfigError where the store cannot be had, KeyError for what is no service."""
        if service in _STORED:
            return getattr(self._made(), _STORED[service])
        return self._plain[service]

    def __iter__(self) -> Iterator[type]:
        return iter((*self._plain, *_STORED))

    def __len__(self) -> int:
        return len(self._plain) + len(_STORED)

    def __contains__(self, service: object) -> bool:
        return service in self._plain or service in _STORED

    def _made(self) -> "Store":
        if self.store is None:
            if self._started:
                raise ConfigError("[[layer]]", "one needs the store, which is opened at the start only: restart")
            config = read(self._path, self._environ, self._text)
            self.store = store(config, self._plain[Clock])
            from ailb.library import library  # as SQLAlchemy

            self.store.library = library(config, self.store.database, self._plain.get(Tally))
        return self.store


def store(config: Config, clock: Clock, *, serving: bool = True) -> "Store":
    """As `[store]` says; nothing is opened. Raises ConfigError."""
    from ailb.store.store import SERVER, Store  # SQLAlchemy takes its time, and not everybody needs it
    from ailb.store.windows import Windows

    table = config.store
    made = Store(table.url, clock, Windows(_DAYS.index(table.week_starts), table.month_starts), patience=table.patience, serving=serving)
    if serving and config.server.workers > 1 and made.database.is_sqlite:
        raise ConfigError("[server].workers", f"SQLite is for one process; set store.url = {SERVER}, or workers = 1")
    return made
