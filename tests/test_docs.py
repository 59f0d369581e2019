"""The documentation's own examples, run as they stand."""

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from ailb.clock import Clock
from ailb.loader import load
from ailb.meter import Meter
from ailb.metrics import Metrics

ROOT = Path(__file__).resolve().parent.parent
CONFIG = """
{layer}
[[layer]]
use = "routing"
[[provider]]
name = "echo"
"""


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    """A user's folder with the layer of docs/layers.md in it."""
    layer, test = blocks("docs/layers.md", "python")
    (tmp_path / "curfew.py").write_text(layer, encoding="utf-8")
    (tmp_path / "curfew_test.py").write_text(test, encoding="utf-8")
    (tmp_path / "config.toml").write_text(CONFIG.format(layer=blocks("docs/layers.md", "toml")[0]), encoding="utf-8")
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in ("curfew", "curfew_test"):
        sys.modules.pop(name, None)


def test_the_layer_of_your_own_is_wired_by_its_config(folder: Path) -> None:
    snapshot = load(folder / "config.toml", {}, {Clock: Clock(), Meter: Metrics()})
    assert [type(layer).__name__ for layer in snapshot.layers] == ["Curfew", "Routing"]


def test_the_test_of_the_layer_of_your_own_passes(folder: Path) -> None:
    sys.path.insert(0, str(folder))
    import curfew_test  # type: ignore[import-not-found]

    assert asyncio.iscoroutinefunction(curfew_test.test_gpt_4_sleeps_at_night)
    asyncio.run(curfew_test.test_gpt_4_sleeps_at_night())


def test_the_canary_and_the_shadow_are_configurations(tmp_path: Path) -> None:
    canary, shadow = blocks("docs/routing.md", "toml")
    text = f'{shadow}[[layer]]\nuse = "routing"\n[[provider]]\nname = "openai"\n{canary}'
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    snapshot = load(tmp_path / "config.toml", {"OPENAI_API_KEY": "sk-not-a-real-one"}, {Clock: Clock(), Meter: Metrics()})
    assert [type(layer).__name__ for layer in snapshot.layers] == ["Shadow", "Routing"]
    assert [(target.model, target.weight) for target in snapshot.models.targets("smart")] == [("gpt-4o", 19), ("gpt-4.1", 1)]
    assert snapshot.models.route("smart").sticky == "header:x-canary"


def test_the_readmes_configuration_is_one(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(blocks("README.md", "toml")[0], encoding="utf-8")
    snapshot = load(tmp_path / "config.toml", {"OPENAI_API_KEY": "sk-not-a-real-one"}, {Clock: Clock(), Meter: Metrics()})
    assert [str(target) for target in snapshot.models.targets("fast")] == ["openai/gpt-4o-mini", "openai/gpt-3.5-turbo"]
