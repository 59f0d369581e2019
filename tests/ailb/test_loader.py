"""A file in, a snapshot or one clean error out."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from ailb.aside import Aside
from ailb.clock import Clock
from ailb.dialect import Target
from ailb.embedding import Embedder
from ailb.errors import ConfigError
from ailb.exchange import Caller, Exchange, Reply
from ailb.identity import Identity
from ailb.ledger import Ledger
from ailb.loader import Snapshot, is_loopback, load
from ailb.meter import Meter
from ailb.metrics import Metrics
from ailb.models import Models
from ailb.money import NANO
from ailb.rates import Prices, Rates
from ailb.records import Records
from ailb.replays import Replays
from ailb.retrieval import Retriever, Shelves
from ailb.sessions import Sessions
from ailb.stack import Next
from ailb.tally import Tally
from ailb.testing import StillClock, ask
from ailb.testing_money import MemoryLedger
from ailb.testing_replays import MemoryReplays
from ailb.testing_retrieval import MemoryRetriever
from ailb.testing_sessions import MemorySessions
from ailb.tokenizer import Tokenizer
from ailb.tokens import Counter

DEFAULT = Path(__file__).resolve().parents[2] / "config.toml"
ECHO = '[[provider]]\nname = "echo"\n'
ROUTING = '[[layer]]\nuse = "routing"\n'
KEY = "an-admin-key-that-is-long"


class Tag:
    """A user's own layer."""

    def __init__(self, models: Models, identity: Identity, *, word: str = "tag") -> None:
        self.models = models
        self.identity = identity
        self.word = word

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        exchange.notes["tag"] = self.word
        return await call_next(exchange)


class Deaf:
    """Not a layer."""

    def __call__(self) -> None: ...


class Asking:
    """Has questions of its own."""

    def __init__(self, aside: Aside) -> None:
        self.aside = aside
        self.called = 0

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        self.called += 1
        return await call_next(exchange)


class Wrapper:
    """ASGI middleware, if one does not look too closely."""


def services() -> dict[type, Any]:
    stored: dict[type, Any] = {Replays: MemoryReplays(), Ledger: MemoryLedger(), Records: Records(), Retriever: MemoryRetriever({})}
    stored[Sessions], metrics = MemorySessions(), Metrics()
    return {Clock: StillClock(), Meter: metrics, Tally: metrics.tally, **stored}


def loaded(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Snapshot:
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ or {}, services())


def complaint(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text, environ)
    return str(caught.value)


def layers(*uses: str) -> str:
    return "".join(f'[[layer]]\nuse = "{use}"\n' for use in uses)


async def test_the_default_answers_without_a_key_and_without_a_network() -> None:
    snapshot = load(DEFAULT, {}, services())
    assert (["echo"], len(snapshot.config.layer), "gpt-4") == (list(snapshot.providers), len(snapshot.layers), snapshot.models.default)
    reply = await snapshot.call(ask("Hello", model="gpt-3.5-turbo"))
    assert "You said: Hello" in "".join([event.text async for batch in reply for event in batch])


async def test_the_gateways_own_requests_go_through_budget_and_routing_alone(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    file = tmp_path / "config.toml"
    file.write_text(layers("access", f"{__name__}:Asking", "budget", "routing") + ECHO)
    snapshot = load(file, {}, {**services(), Ledger: ledger})
    layer = snapshot.layers[1]
    assert isinstance(layer, Asking)
    outcome = await layer.aside.ask(
        Caller("summary"), "req_1-summary", {"model": "echo", "messages": [{"role": "user", "content": "Hello"}]}
    )
    assert ("complete", 0) == (outcome.status, layer.called)
    assert "You said: Hello" in outcome.text
    assert ["req_1-summary"] == [hold.intent.request_id for hold, _ in ledger.charges]


@pytest.mark.parametrize(
    ("environ", "provider", "model", "upstream"),
    [
        ({}, "echo", "claude-3-opus", "claude-3-opus"),
        ({"OPENAI_API_KEY": "k"}, "openai", "gpt-4", "gpt-4"),
        ({"ANTHROPIC_API_KEY": "k"}, "anthropic", "claude-3-opus", "claude-3-opus-20240229"),
        ({"ANTHROPIC_API_KEY": "k"}, "anthropic", "claude-3-sonnet", "claude-3-sonnet-20240229"),
        ({"ANTHROPIC_API_KEY": "k"}, "anthropic", "claude-3-haiku", "claude-3-haiku-20240307"),
        ({"ANTHROPIC_API_KEY": "k"}, "anthropic", "claude-3-opus-20240229", "claude-3-opus-20240229"),
        ({"OLLAMA_BASE_URL": "http://127.0.0.1:1", "OLLAMA_MODELS": "mistral, neural-chat"}, "ollama", "neural-chat", "neural-chat"),
        ({"OLLAMA_HOST": "127.0.0.1", "OLLAMA_MODELS": "mistral"}, "ollama", "ollama/x", "x"),
        ({"MISTRAL_API_KEY": "k"}, "mistral", "mistral-small-latest", "mistral-small-latest"),
        ({"VLLM_BASE_URL": "http://127.0.0.1:1/v1", "VLLM_MODELS": "m"}, "vllm", "m", "m"),
    ],
)
def test_the_default_with_the_environment(environ: dict[str, str], provider: str, model: str, upstream: str) -> None:
    snapshot = load(DEFAULT, environ, services())
    model = model.removeprefix("ollama/") if upstream == "x" else model
    if upstream == "x":
        snapshot.models.offer("ollama", ["x"])
    target = snapshot.models.targets(model)[0]
    assert ([provider], provider, upstream) == (list(snapshot.providers), target.provider, target.model)


def test_every_provider_of_the_default_can_be_on() -> None:
    names = ("OPENAI", "ANTHROPIC", "GEMINI", "MISTRAL", "DEEPSEEK", "XAI", "GROQ", "TOGETHER", "OPENROUTER")
    urls = ("OLLAMA", "VLLM", "LLAMACPP", "LMSTUDIO")
    environ = {f"{name}_API_KEY": "k" for name in names} | {f"{name}_BASE_URL": "http://127.0.0.1:1" for name in urls}
    snapshot = load(DEFAULT, environ, services())
    assert {"echo": "a stand-in, and others are on"} == snapshot.off
    assert len(snapshot.config.provider) - 1 == len(snapshot.providers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (layers("acess", "routing"), '[[layer]] "acess": no such layer; did you mean access?'),
        (layers("routng"), "[[layer]]: there is no routing layer"),
        (layers("access"), "[[layer]]: there is no routing layer"),
        (layers("routing", "access"), '[[layer]] "routing": must come after access; the order is access, otel, records,'),
        (layers("auth", "access", "routing"), '[[layer]] "auth": must come after access'),
        (layers("access", "access", "routing"), '[[layer]] "access": stands twice'),
        (layers("access", "middleware.access:Access", "routing"), '[[layer]] "access": stands twice'),
        (layers("routing", f"{__name__}:Tag"), '[[layer]] "tests.ailb.test_loader:Tag": must come before routing'),
        (layers("nowhere_at_all:Tag", "routing"), '[[layer]] "nowhere_at_all:Tag": module nowhere_at_all cannot be imported'),
        (
            layers(f"{__name__}:Tga", "routing"),
            '[[layer]] "tests.ailb.test_loader:Tga": module tests.ailb.test_loader has no Tga; did you mean Tag?',
        ),
        (layers(f"{__name__}:Deaf", "routing"), '[[layer]] "tests.ailb.test_loader:Deaf": Deaf is no layer: it has no `async def __call__'),
        (layers(f"{__name__}:layers", "routing"), '[[layer]] "tests.ailb.test_loader:layers": is not a class'),
        (ROUTING + 'strtegy = "x"\n', '[[layer]] "routing".strtegy: no such option; did you mean strategy?'),
        (ROUTING + 'strategy = "falover"\n', '[[layer]] "routing".strategy: no strategy'),
        (ROUTING + "open_after = 1.5\n", '[[layer]] "routing".open_after: should be a valid integer'),
        (ROUTING + '[server]\nmiddleware = ["pathlib:Nope"]\n', "[server].middleware: module pathlib has no Nope"),
        (ROUTING + '[server]\nhost = "0.0.0.0"\n', '[server].host: "0.0.0.0" can be reached from outside; set auth.admin_key'),
        (ROUTING + f'[auth]\nadmin_key = "{KEY}"\n', '[auth].admin_key: is set, but no [[layer]] "auth" asks for keys'),
    ],
)
def test_each_error_says_where(tmp_path: Path, text: str, expected: str) -> None:
    assert complaint(tmp_path, text + ECHO).startswith(expected)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1", "[::1]"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.com", "127.0.0.1.example.com", "", "localhost.example"])
def test_not_loopback(tmp_path: Path, host: str) -> None:
    assert not is_loopback(host)
    assert not host or complaint(tmp_path, ROUTING + ECHO, {"HOST": host}).startswith(f'[server].host: "{host}" can be reached')


def test_with_an_admin_key_it_may_listen_anywhere(tmp_path: Path) -> None:
    snapshot = loaded(tmp_path, layers("auth", "routing") + ECHO, {"HOST": "0.0.0.0", "AILB_ADMIN_KEY": KEY})
    assert "0.0.0.0" == snapshot.config.server.host


def test_a_key_need_not_be_asked_for(tmp_path: Path) -> None:
    snapshot = loaded(tmp_path, f'[auth]\nadmin_key = "{KEY}"\nrequired = false\n' + ROUTING + ECHO)
    assert 1 == len(snapshot.layers)


async def test_a_users_own_layer_stands_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / "my_layers.py").write_text(f"from {__name__} import Tag\n", encoding="utf-8")
    snapshot = loaded(tmp_path, '[[layer]]\nuse = "my_layers:Tag"\nword = "mine"\n' + layers("access", "routing") + ECHO)
    exchange = ask("Hello", model="any")
    reply = await snapshot.call(exchange)
    reply.close()
    assert "mine" == exchange.notes["tag"]
    assert snapshot.models is getattr(snapshot.layers[0], "models", None)


def test_a_users_file_that_breaks_is_the_files_fault(tmp_path: Path) -> None:
    (tmp_path / "my_broken_layers.py").write_text("1 / 0\n", encoding="utf-8")
    expected = '[[layer]] "my_broken_layers:Tag": module my_broken_layers cannot be imported: ZeroDivisionError: division by zero'
    assert expected == complaint(tmp_path, layers("my_broken_layers:Tag", "routing") + ECHO)


def test_own_layers_may_stand_twice(tmp_path: Path) -> None:
    assert 3 == len(loaded(tmp_path, layers(f"{__name__}:Tag", f"{__name__}:Tag", "routing") + ECHO).layers)


def test_middleware_is_looked_up(tmp_path: Path) -> None:
    snapshot = loaded(tmp_path, f'[server]\nmiddleware = ["{__name__}:Wrapper"]\n' + ROUTING + ECHO)
    assert [f"{__name__}:Wrapper"] == snapshot.config.server.middleware


def test_the_version_is_that_of_the_configuration(tmp_path: Path) -> None:
    text = ROUTING + ECHO
    first, same, other = (loaded(tmp_path, each).version for each in (text, text, text + "models = ['a']\n"))
    assert (True, True) == (first == same, first != other)


def test_a_secret_in_the_wrong_place_is_not_shown(tmp_path: Path) -> None:
    problem = complaint(tmp_path, '[[layer]]\nuse = "${MY_TOKEN}"\n' + ROUTING + ECHO, {"MY_TOKEN": "canary-of-no-known-shape"})
    assert problem.startswith('[[layer]] "[hidden]": no such layer; there are access, auth, ')


class Bill:
    """Asks for what tokens cost and how many there are."""

    def __init__(self, prices: Prices, counter: Counter) -> None:
        self.rates = prices.rates(Target("echo", "big"))
        self.counter = counter

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        return await call_next(exchange)


def test_layers_are_given_prices_and_a_counter_of_tokens(tmp_path: Path) -> None:
    text = layers("tests.ailb.test_loader:Bill", "routing") + '[[provider]]\nname = "echo"\nfree = true\n'
    snapshot = loaded(tmp_path, text + '[[price]]\nmodel = "big"\ninput = 1\noutput = 2\n')
    bill: Any = snapshot.layers[0]
    assert Rates(NANO, 2 * NANO) == bill.rates
    assert isinstance(bill.counter, Tokenizer)


def test_a_price_at_a_provider_that_is_not_there(tmp_path: Path) -> None:
    text = layers("routing") + '[[provider]]\nname = "echo"\n[[price]]\nmodel = "m"\nprovider = "ecco"\nfree = true\n'
    assert complaint(tmp_path, text) == '[[price]] "m".provider: no such provider; did you mean echo?'


@pytest.mark.parametrize(
    ("workers", "redis", "refused"), [(1, "", False), (2, "", True), (2, 'redis = "redis://127.0.0.1:6379/0"\n', False)]
)
def test_several_processes_need_one_place_for_their_limits(tmp_path: Path, workers: int, redis: str, refused: bool) -> None:
    text = f'[server]\nworkers = {workers}\n[[layer]]\nuse = "ratelimit"\n{redis}{ROUTING}{ECHO}'
    with pytest.raises(ConfigError, match="REDIS_URL") if refused else nullcontext():
        loaded(tmp_path, text)


class Looking:
    """A layer with documents."""

    def __init__(self, retriever: Retriever) -> None:
        self.retriever = retriever

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        return await call_next(exchange)


class Shelf:
    """Gives back whom it was asked to ask."""

    def by(self, embedder: Embedder) -> Any:
        return embedder


def test_a_retriever_asks_the_embedder_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'[embed]\nembedder = "none"\n[[layer]]\nuse = "{__name__}:Looking"\n{ROUTING}{ECHO}')
    snapshot = load(tmp_path / "config.toml", {}, {Clock: Clock(), Meter: Metrics(), Shelves: Shelf()})
    layer: Any = snapshot.layers[0]
    assert layer.retriever is snapshot.embedder


def test_where_there_are_no_documents_nobody_gets_a_retriever(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'[[layer]]\nuse = "{__name__}:Looking"\n{ROUTING}{ECHO}')
    with pytest.raises(ConfigError, match="no service of type Retriever"):
        load(tmp_path / "config.toml", {}, {Clock: Clock(), Meter: Metrics()})
