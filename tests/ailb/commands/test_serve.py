import signal
from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest

from ailb.commands import serve
from ailb.errors import ConfigError


def test_it_reads_config_toml_unless_told_otherwise() -> None:
    parser = ArgumentParser()
    serve.arguments(parser)
    assert (Path("config.toml"), Path("x")) == (parser.parse_args([]).config, parser.parse_args(["--config", "x"]).config)


def test_what_cannot_be_served_is_a_config_error_and_a_reload_waits_for_what_can(tmp_path: Path) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        with pytest.raises(ConfigError, match="no such file"):
            serve.run(Namespace(config=tmp_path / "missing.toml"), {})
        assert signal.SIGHUP in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
