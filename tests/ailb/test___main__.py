"""The command line, as a shell sees it."""

import subprocess
import sys
from pathlib import Path

import pytest

from ailb import __version__
from ailb.__main__ import main

GOOD = '[[layer]]\nuse = "routing"\n[[provider]]\nname = "echo"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(GOOD)
    return file


def test_check_is_content(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["check", "--config", str(file)], {})
    assert capsys.readouterr().out.endswith("ok\n")


@pytest.mark.parametrize("command", ["check", "serve"])
def test_the_first_error_is_one_line(file: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    file.write_text('[[layer]]\nuse = "routng"\n' + GOOD)
    assert 2 == main([command, "--config", str(file)], {})
    assert ("", 'ailb: [[layer]] "routng": no such layer; did you mean routing?\n') == capsys.readouterr()


def test_what_a_file_puts_into_an_error_cannot_make_it_two_lines(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('[[layer]]\nuse = "a\\nb\\u001b[2J"\n' + GOOD)
    assert 2 == main(["check", "--config", str(file)], {})
    assert 1 == len(capsys.readouterr().err.splitlines())


def test_config_toml_beside_one_is_the_default(file: Path) -> None:
    ran = subprocess.run([sys.executable, "-m", "ailb", "check"], cwd=file.parent, capture_output=True, text=True, check=False)
    assert (0, "") == (ran.returncode, ran.stderr)


def test_no_file_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "config.toml"
    assert 2 == main(["check", "--config", str(missing)], {})
    assert f"ailb: {missing}: no such file; --config names another one\n" == capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"], {})
    assert (0, f"ailb {__version__}\n") == (caught.value.code, capsys.readouterr().out)


@pytest.mark.parametrize("arguments", [[], ["fly"], ["check", "--loud"]])
def test_a_command_that_there_is_not(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments, {})
    assert 2 == caught.value.code
