from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import pytest

from ailb import config
from ailb.clock import Clock
from ailb.embed import Embedders, embedder
from ailb.embed_local import LocalEmbedder
from ailb.embed_none import NoEmbedder
from ailb.embed_provider import ProviderEmbedder
from ailb.embedding import Embedded, Vector
from ailb.errors import ConfigError
from ailb.ledger import Ledger
from ailb.loader_providers import Source
from ailb.rates import Prices
from ailb.testing import StillClock
from ailb.testing_money import FixedPrices, MemoryLedger

INSTALLED = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="ailb[rag] is not installed")


class Own:
    def __init__(self, clock: Clock, *, model_path: str = "", size: int = 3) -> None:
        self.name = f"own-{model_path}"
        self.dimension: int | None = size

    async def embed(self, texts: Sequence[str], *, user: str = "") -> list[Vector]:
        return [[1.0] * (self.dimension or 1) for _ in texts]


class Nameless(Own):
    def __init__(self) -> None:
        self.name = ""


class Deaf:
    name = "deaf"


class Sells:
    embeds = True

    async def embeddings(self, model: str, body: bytes) -> bytes:
        return body


class Nothing:
    async def find(self, embedder: str, hashes: Sequence[bytes]) -> Mapping[bytes, Vector]:
        return {}

    async def keep(self, embedder: str, vectors: Mapping[bytes, Vector]) -> None:
        return


def services() -> dict[type, Any]:
    return {Clock: StillClock(), Ledger: MemoryLedger(), Prices: FixedPrices(), Embedded: Nothing(), Embedders: Embedders()}


def sources() -> dict[str, Source]:
    shop: Any = Sells()
    mute: Any = object()
    return {"shop": Source(shop, ()), "mute": Source(mute, ()), "gone": Source(None, (), off="GONE_KEY is not set")}


def made(**keys: Any) -> Any:
    return embedder(config.Embed(**keys), sources(), services())


@INSTALLED
def test_the_local_one_is_the_default_and_the_process_has_one() -> None:
    there = services()
    first, again = (embedder(config.Embed(), sources(), there) for _ in range(2))
    assert isinstance(first, LocalEmbedder)
    assert first is again
    assert first is not embedder(config.Embed(threads=2), sources(), there)


def test_with_none_words_are_all_there_is() -> None:
    none = made(embedder="none")
    assert isinstance(none, NoEmbedder)
    assert "" == none.name


def test_where_the_model_is_not_there_that_is_an_error_for_who_has_asked_for_it() -> None:
    with pytest.raises(ConfigError, match=r"model_path|rag"):
        made(model_path="/no/such/folder")


def test_one_of_ones_own_has_services_and_options() -> None:
    own = made(embedder=f"{__name__}:Own", model_path="x", size=5)
    assert ("own-x", 5) == (own.name, own.dimension)


def test_a_providers() -> None:
    sold = made(embedder="shop/small/v3")
    assert isinstance(sold, ProviderEmbedder)
    assert ("shop/small/v3", None) == (sold.name, sold.dimension)


def test_one_whose_provider_is_off_keeps_its_name_and_says_why() -> None:
    off = made(embedder="gone/small")
    assert ("gone/small", "gone is off: GONE_KEY is not set") == (off.name, off.problem)


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"embedder": "lokal"}, '[embed].embedder: "lokal" must be "local", "none", "provider/model" or "package.module:Class"'),
        ({"embedder": "shop/"}, "must be"),
        ({"embedder": "shoop/small"}, "[embed].embedder: no such provider; did you mean shop?"),
        ({"embedder": "mute/small"}, "[embed].embedder: mute has no embeddings"),
        ({"embedder": "none", "threads": 2}, '[embed].threads: is no option of the embedder "none"'),
        ({"embedder": "shop/small", "preload": True}, '[embed].preload: is no option of the embedder "shop/small"'),
        ({"thread": 2}, '[embed].thread: is no option of the embedder "local"'),
        ({"embedder": f"{__name__}:Own", "sise": 5}, "[embed].sise: no such option; did you mean size?"),
        ({"embedder": f"{__name__}:Deaf"}, "[embed].embedder: Deaf is no embedder: it needs a name and"),
        ({"embedder": f"{__name__}:Nameless"}, "[embed].embedder: Nameless is no embedder: its name is empty"),
        ({"embedder": "no_such:Class"}, "[embed].embedder: module no_such cannot be imported"),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(keys: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(**keys)
    assert complaint in str(caught.value)
