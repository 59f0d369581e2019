"""The rules of the house: who may import whom, what every file has beside it, and what no file may have in it."""

import ast
import configparser
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import ailb
from ailb import __main__ as command_line
from ailb.config import Config

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("ailb", "middleware", "providers")
SCRIPTS = ROOT / "ailb/store/migrations"
"""Alembic's, which runs them; the test is that they make the schema."""

SOURCES = sorted(
    path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py") if not path.is_relative_to(SCRIPTS)
)
TESTS = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / "tests" / package).rglob("test_*.py"))

PLAIN = ("errors", "secret", "usage", "sse", "strict", "dialect", "prompt", "chat", "exchange", "stack", "models", "headers", "provider")
SMALL = ("watchdog", "deadline", "clock", "identity", "guesses", "meter", "tally", "turns")
FAKES = ("testing", "testing_money", "testing_replays", "testing_retrieval", "testing_sessions")
TARGETS = ("breaker", "failing", "latency", "health", "strategy", "abilities")
ASIDES = ("aside", "prompt_messages", "words", "sessions", "retrieval", "embedding", "embed_question")
MONEY = ("money", "rates", "tokens", "ledger", "keys", "replays", "records")
KERNEL = frozenset({"ailb", *(f"ailb.{name}" for name in (*PLAIN, *SMALL, *FAKES, *TARGETS, *ASIDES, *MONEY))})
EVERYWHERE = frozenset({"anyio", "orjson", "structlog"})
MOST_LINES = 300
MOST_FUNCTION_LINES = 60

THIRD_PARTIES: dict[str, frozenset[str]] = {
    "aiohttp": frozenset({"providers.transport", "providers.transport_client", "providers.transport_stream"}),
    "genai_prices": frozenset({"ailb.prices_listed"}),
    "toktok": frozenset({"ailb.tokenizer_child"}),
    "yarl": frozenset({"providers.transport", "providers.transport_client"}),
    "prometheus_client": frozenset({"ailb.metrics", *(f"ailb.metrics_{part}" for part in ("attempts", "shadow", "rag", "memory", "text"))}),
    "pydantic": frozenset(
        {
            "ailb.admin.billing_budget",
            "ailb.admin.bodies",
            "ailb.admin.keys",
            "ailb.admin.rag_bodies",
            "ailb.config",
            "ailb.config_values",
            "ailb.config_errors",
            "ailb.options",
        }
    ),
    "pydantic_core": frozenset({"ailb.config", "ailb.config_values", "ailb.config_errors", "ailb.options"}),
    "rich": frozenset(
        {"ailb.commands.audit", "ailb.commands.billing", "ailb.commands.explain_told", "ailb.commands.keys", "ailb.commands.rag_told"}
    ),
    "starlette": frozenset(
        {
            "ailb.app",
            "ailb.edge",
            "ailb.guard",
            "ailb.intake",
            "ailb.outlet",
            "ailb.admin.access",
            "ailb.admin.bodies",
            "ailb.admin.keys",
            "ailb.admin.sessions",
            "ailb.admin.pages",
            "ailb.admin.billing",
            "ailb.admin.billing_asked",
            "ailb.admin.billing_budget",
            "ailb.admin.explain",
            "ailb.admin.stats",
            "ailb.admin.openapi",
            "ailb.admin.rag",
            "ailb.admin.rag_documents",
            "ailb.server",
            "ailb.engines",
        }
    ),
    "sqlalchemy": frozenset(
        {
            "ailb.admin.sessions",
            "ailb.store.schema",
            "ailb.store.schema_sessions",
            "ailb.store.sessions",
            "ailb.store.sessions_kept",
            "ailb.store.sessions_rows",
            "ailb.store.schema_documents",
            "ailb.store.database",
            "ailb.store.connections",
            "ailb.store.readers",
            "ailb.store.writer",
            "ailb.store.links",
            "ailb.store.books",
            "ailb.store.settling",
            "ailb.store.counters",
            "ailb.store.many",
            "ailb.store.given",
            "ailb.store.words",
            "ailb.store.documents",
            "ailb.store.documents_rows",
            "ailb.store.documents_sweep",
            "ailb.store.documents_upload",
            "ailb.store.budgets",
            "ailb.store.audit",
            "ailb.store.audit_paid",
            "ailb.store.keys",
            "ailb.store.keys_rows",
            "ailb.store.spend",
            "ailb.store.prune",
            "ailb.store.corrections",
            "ailb.store.replays",
            "ailb.store.embeddings",
            "ailb.store.migrate",
            "ailb.store.sweeper",
        }
    ),
    "chromadb": frozenset({"ailb.vectors_chroma"}),
    "alembic": frozenset({"ailb.store.migrate"}),
    "hypercorn": frozenset({"ailb.server", "ailb.engines", "ailb.engines_h2", "ailb.engines_hypercorn"}),
    "h2": frozenset({"ailb.engines_h2"}),
    "h11": frozenset({"ailb.engines_hypercorn"}),
    "uvicorn": frozenset({"ailb.server", "ailb.engines", "ailb.engines_uvicorn"}),
    "uvloop": frozenset({"ailb.server", "ailb.engines"}),
    "httptools": frozenset({"ailb.engines_uvicorn"}),
    "limits": frozenset({"middleware.ratelimit_memory", "middleware.ratelimit_redis"}),
    "redis": frozenset({"middleware.ratelimit_redis"}),
    "opentelemetry": frozenset({"middleware.otel_spans"}),
    "numpy": frozenset({"ailb.embed_model", "ailb.store.sessions_vectors"}),
    "onnxruntime": frozenset({"ailb.embed_model"}),
    "tokenizers": frozenset({"ailb.embed_model"}),
    "bs4": frozenset({"ailb.ingest.html"}),
    "markdownify": frozenset({"ailb.ingest.html"}),
    "pypdf": frozenset({"ailb.ingest.pdf"}),
    "semantic_text_splitter": frozenset({"ailb.ingest.chunk"}),
}
"""Which modules may import a third party that is not for everybody. Whatever is not in here may be imported nowhere."""

LAYERS = {
    "middleware.budget": frozenset({"middleware.budget_share", "middleware.budget_tab"}),
    "middleware.budget_tab": frozenset({f"middleware.budget_{part}" for part in ("bill", "record", "share", "told")}),
    "middleware.budget_bill": frozenset({"middleware.budget_seen"}),
    "middleware.routing": frozenset({f"middleware.routing_{part}" for part in ("candidates", "desk", "manners", "trip")}),
    "middleware.routing_trip": frozenset(
        {
            "middleware.strategies_stuck",
            *(f"middleware.routing_{part}" for part in ("candidates", "desk", "failures", "hedge", "manners")),
            *(f"middleware.routing_{part}" for part in ("rest", "retries", "sticky", "visit")),
        }
    ),
    "middleware.routing_visit": frozenset({"middleware.routing_failures", "middleware.routing_rest"}),
    "middleware.routing_candidates": frozenset({"middleware.routing_manners"}),
    "middleware.routing_desk": frozenset({"middleware.routing_candidates", "middleware.routing_retries"}),
    "middleware.routing_manners": frozenset({"middleware.routing_sticky", "middleware.strategies"}),
    "middleware.idempotency": frozenset({"middleware.idempotency_answer"}),
    "middleware.memory": frozenset({f"middleware.memory_{part}" for part in ("desk", "room", "summary", "talk")}),
    "middleware.memory_talk": frozenset(
        {f"middleware.memory_{part}" for part in ("block", "counts", "desk", "heard", "messages", "room", "said", "summary", "window")}
    ),
    "middleware.memory_summary": frozenset({"middleware.memory_block", "middleware.memory_messages"}),
    **{f"middleware.memory_{part}": frozenset({"middleware.memory_messages"}) for part in ("block", "heard", "said", "window")},
    "middleware.rag": frozenset({f"middleware.rag_{part}" for part in ("block", "told")}),
    "middleware.rag_block": frozenset({"middleware.rag_cited"}),
    "middleware.rag_told": frozenset({"middleware.rag_cited"}),
    "middleware.otel": frozenset({"middleware.otel_spans", "middleware.otel_trace"}),
    "middleware.otel_spans": frozenset({"middleware.otel_trace"}),
    "middleware.ratelimit": frozenset({f"middleware.ratelimit_{part}" for part in ("window", "stay", "memory", "redis")}),
    **{f"middleware.ratelimit_{part}": frozenset({"middleware.ratelimit_window"}) for part in ("stay", "memory", "redis")},
}
"""The layers that are made of more than one file."""

FAMILIES = ("anthropic", "ollama", "openai", "transport")
ROWS = frozenset({"providers.openai_quirks"})
"""What the catalogue's rows are made of."""


def module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if (ROOT / Path(*inner.split("."))).with_suffix(".py").exists() else node.module


def ours(name: str) -> bool:
    return name.split(".")[0] in PACKAGES


def family(name: str) -> str | None:
    last = name.split(".")[-1]
    return next((family for family in FAMILIES if last == family or last.startswith(f"{family}_")), None)


def may_import(importer: str, imported: str) -> bool:
    """Among AILB's own modules."""
    if imported in KERNEL:
        return True
    if importer in KERNEL:
        return False
    if importer == "providers.catalog":
        return imported in ROWS
    if importer.startswith("providers."):
        return imported.startswith("providers.") and family(importer) is not None and family(importer) == family(imported)
    if importer.startswith("middleware."):
        return imported in LAYERS.get(importer, ())
    return imported.startswith("ailb.")


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_nobody_imports_what_is_not_theirs(path: Path) -> None:
    wrong = [name for name in imports(path) if ours(name) and not may_import(module(path), name)]
    assert wrong == []


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_a_third_party_is_in_its_module_only(path: Path) -> None:
    foreign = {name.split(".")[0] for name in imports(path) if not ours(name)} - sys.stdlib_module_names - EVERYWHERE
    wrong = {name for name in foreign if module(path) not in THIRD_PARTIES.get(name, ())}
    assert wrong == set()


@pytest.mark.parametrize(
    ("importer", "imported", "may"),
    [
        ("ailb.prompt", "ailb.errors", True),
        ("ailb.prompt", "ailb.config", False),
        ("ailb.prompt", "middleware.auth", False),
        ("ailb.edge", "ailb.gateway", True),
        ("ailb.edge", "middleware.auth", False),
        ("ailb.edge", "providers.echo", False),
        ("ailb.clients.chat", "providers.openai", False),
        ("middleware.auth", "ailb.exchange", True),
        ("middleware.auth", "ailb.config", False),
        ("middleware.auth", "middleware.strategies", False),
        ("middleware.routing_manners", "middleware.strategies", True),
        ("middleware.routing", "middleware.auth", False),
        ("providers.openai", "providers.openai_stream", True),
        ("providers.openai", "providers.anthropic", False),
        ("providers.openai", "providers.transport", False),
        ("providers.echo", "ailb.loader", False),
        ("providers.echo", "ailb.chat", True),
    ],
)
def test_the_rules_of_import_say_what_the_architecture_says(importer: str, imported: str, may: bool) -> None:
    assert may is may_import(importer, imported)


def test_every_source_has_its_test_and_every_test_its_source() -> None:
    expected = {Path("tests", path.parent, f"test_{path.name}") for path in SOURCES if path.name != "__init__.py"}
    assert expected - set(TESTS) == set()
    # One source may have several: test_config.py and test_config_docs.py are both about config.py.
    stems = {path.with_suffix("").as_posix() for path in expected}
    lonely = [path for path in TESTS if not any(about in stems for about in _prefixes(path))]
    assert lonely == []


def _prefixes(path: Path) -> list[str]:
    words = path.stem.split("_")
    return [(path.parent / "_".join(words[:count])).as_posix() for count in range(2, len(words) + 1)]


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_no_file_and_no_function_is_long(path: Path) -> None:
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    functions = [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [f.name for f in functions if (f.end_lineno or 0) - f.lineno + 1 > MOST_FUNCTION_LINES] == []


UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XXX|NotImplemented" + r"Error)\b")


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=str)
def test_nothing_is_left_for_later(path: Path) -> None:
    assert UNFINISHED.findall((ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_no_module_keeps_state(path: Path) -> None:
    assert [node.lineno for node in ast.walk(tree(path)) if isinstance(node, ast.Global)] == []


def comments(path: Path) -> set[int]:
    with tokenize.open(ROOT / path) as lines:
        return {token.start[0] for token in tokenize.generate_tokens(lines.readline) if token.type == tokenize.COMMENT}


def broad(node: ast.ExceptHandler) -> bool:
    named = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(name is None or (isinstance(name, ast.Name) and name.id in ("Exception", "BaseException")) for name in named)


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_whoever_catches_everything_says_why(path: Path) -> None:
    said = comments(path)
    handlers = [node for node in ast.walk(tree(path)) if isinstance(node, ast.ExceptHandler) and broad(node)]
    assert [node.lineno for node in handlers if not {node.lineno, node.lineno - 1} & said] == []


ALL_TESTS = sorted(path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py"))


def patches(node: ast.AST) -> bool:
    """`monkeypatch.setattr(...)`, `mock.patch...`, or an import of mock."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return (node.value.id, node.attr) in (("monkeypatch", "setattr"), ("mock", "patch"), ("mocker", "patch"))
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
    return "unittest.mock" in names or "mock" in names or (isinstance(node, ast.ImportFrom) and node.module == "unittest.mock")


@pytest.mark.parametrize("path", ALL_TESTS, ids=str)
def test_no_test_patches_what_it_tests(path: Path) -> None:
    assert [getattr(node, "lineno", 0) for node in ast.walk(tree(path)) if patches(node)] == []


@cache
def tracked() -> tuple[tuple[str, str], ...]:
    """Name and text of every file in the repository."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        return ()
    files = [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
    return tuple((name, (ROOT / name).read_text(encoding="utf-8", errors="replace")) for name in files)


HOSTS = re.compile(r"(?:pypi|npmjs|pythonhosted|crates|proxy\.golang)\.(?:org|com|io)|registry\.(?:npm|yarn)", re.IGNORECASE)
HOMES = re.compile(r"(?<![\w.:/{}])/(?:(?:home|Users)/[\w.-]+/|(?:root|work)/[a-z])")


@pytest.mark.parametrize(("what", "pattern"), [("package registry", HOSTS), ("developer's machine", HOMES)])
def test_nothing_names_a_registry_or_a_path_of_one_machine(what: str, pattern: re.Pattern[str]) -> None:
    if not tracked():
        pytest.skip("not in a git checkout")
    found = [f"{what}: {name}" for name, text in tracked() if name != "tests/test_house.py" and pattern.search(text)]
    assert found == []


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_changelogs_top_version_is_this_one() -> None:
    top = re.search(r"^## \[?v?(\d[^\s\]]*)", text_of("CHANGELOG.md"), re.MULTILINE)
    assert top is not None
    assert top[1] == ailb.__version__


def keys_of(model: Any) -> Iterator[str]:
    """Every key of a table and of the tables in it."""
    for name, field in model.model_fields.items():
        yield name
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if hasattr(inner, "model_fields"):
                yield from keys_of(inner)


@pytest.mark.parametrize("key", sorted(set(keys_of(Config))))
def test_every_key_is_in_the_manual(key: str) -> None:
    assert re.search(rf"^(?:\||#).*`[^`]*\b{key}\b[^`]*`", text_of("docs/configuration.md"), re.MULTILINE)


def test_every_command_is_in_the_readme() -> None:
    (commands,) = (action.choices for action in command_line._parser()._actions if action.dest == "command")
    assert commands
    readme = text_of("README.md")
    assert [name for name in commands if f"ailb {name}" not in readme] == []


def entry_points() -> list[str]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = "\n".join(setup["options.entry_points"].values()).split("\n")
    return [line.partition("=")[2].strip() for line in lines if line]


@pytest.mark.parametrize("point", entry_points())
def test_every_entry_point_leads_somewhere(point: str) -> None:
    name, _, attribute = point.partition(":")
    assert hasattr(import_module(name), attribute)
