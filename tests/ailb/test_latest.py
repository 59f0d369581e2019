import os
from collections.abc import Iterator

import pytest

from ailb.latest import Latest


@pytest.fixture
def latest() -> Iterator[Latest]:
    with Latest("first") as latest:
        yield latest


def test_what_was_kept_last_is_taken(latest: Latest) -> None:
    assert latest.take() == "first"
    for text in ("a\nb\r\n\u2028\x85", "", "日本\x00", "a", "a", "first"):
        latest.keep(text)
        assert text == latest.take()


def test_what_another_process_kept_is_taken(latest: Latest) -> None:
    for text in ("one", "two"):
        pid = os.fork()
        if pid == 0:
            try:
                latest.keep(text)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        assert text == latest.take()
    latest.keep("own")
    assert latest.take() == "own"


def test_half_a_line_is_none(latest: Latest) -> None:
    latest.keep("whole")
    os.write(latest._file.fileno(), b'\n"hal')
    assert latest.take() == "whole"
    latest.keep("next")
    assert latest.take() == "next"
