from argparse import Namespace
from pathlib import Path

import pytest

from ailb.commands import check


def test_it_writes_what_the_configuration_makes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[[layer]]\nuse = "routing"\n[[provider]]\nname = "echo"\n')
    assert 0 == check.run(Namespace(config=file), {})
    said = capsys.readouterr().out
    assert said.startswith("edge -> routing -> provider\n")
    assert said.endswith("ok\n")
