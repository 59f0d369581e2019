import re

import pytest

from ailb.__main__ import main


def test_a_new_key_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert [0, 0] == [main(["admin-key"], {}), main(["admin-key"], {})]
    first, second = capsys.readouterr().out.splitlines()
    assert first != second
    assert re.fullmatch(r"ailb-admin-[A-Za-z0-9_-]{43}", first)
