import subprocess
import sys
from pathlib import Path

import pytest

from ailb.errors import ConfigError
from ailb.plugins import installed, named


def test_what_ailb_brings() -> None:
    plugins = installed()
    assert {"access", "auth", "routing"} <= set(plugins.layers)
    assert {"openai", "anthropic", "ollama"} <= set(plugins.dialects)
    assert {"http", "echo"} <= set(plugins.providers)
    assert {"openai", "anthropic", "ollama", "groq", "azure", "vllm"} <= set(plugins.rows)


def test_every_row_has_a_dialect() -> None:
    plugins = installed()
    assert {row.dialect for row in plugins.rows.values()} <= set(plugins.dialects)


def test_a_name_is_found() -> None:
    assert Path is named("pathlib:Path", "x")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", 'x: "" must be package.module:Class'),
        ("pathlib", 'x: "pathlib" must be package.module:Class'),
        (":Path", 'x: ":Path" must be package.module:Class'),
        (".pathlib:Path", 'x: ".pathlib:Path" must be package.module:Class'),
        ("pathlib:Path.home", 'x: "pathlib:Path.home" must be package.module:Class'),
        ("no_such_module:X", "x: module no_such_module cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        ("pathlib:Paht", "x: module pathlib has no Paht; did you mean Path?"),
    ],
)
def test_a_name_that_is_not_found(name: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        named(name, "x")
    assert expected == str(caught.value)


def test_ailbs_own_packages_cannot_be_hidden(tmp_path: Path) -> None:
    (tmp_path / "middleware").mkdir()
    (tmp_path / "middleware" / "__init__.py").touch()
    code = "from ailb.plugins import installed; installed()"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "the package middleware is not AILB's own: something of the same name hides it" in ran.stderr
