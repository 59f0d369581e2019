import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGINT, SIGTERM
from subprocess import PIPE, Popen

import orjson
import pytest

from ailb import tokenizer


@pytest.fixture(scope="module")
def child() -> Iterator[Popen[bytes]]:
    command = [sys.executable, "-P", str(Path(tokenizer.__file__).with_name("tokenizer_child.py"))]
    with Popen(command, stdin=PIPE, stdout=PIPE) as process:
        yield process
        output, _ = process.communicate()
        assert (b"", 0) == (output, process.returncode)  # it ends with its input


def counted(child: Popen[bytes], encoding: str, *texts: str) -> int:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(orjson.dumps([encoding, texts]) + b"\n")
    child.stdin.flush()
    return int(child.stdout.readline())


@pytest.mark.parametrize(
    ("encoding", "texts", "expected"),
    [
        ("o200k_base", [], 0),
        ("o200k_base", ["hello world"], 2),
        ("o200k_base", ["hello", " world"], 2),
        ("o200k_base", ["antidisestablishmentarianism", "お誕生日おめでとう"], 14),
        ("cl100k_base", ["お誕生日おめでとう"], 9),
        ("o200k_base", ["a\nb\r\n\u2028"], 5),
    ],
)
def test_a_line_for_a_line(child: Popen[bytes], encoding: str, texts: list[str], expected: int) -> None:
    assert expected == counted(child, encoding, *texts)


@pytest.mark.parametrize("number", [SIGINT, SIGTERM])
def test_it_outlives_what_is_meant_for_the_gateway(child: Popen[bytes], number: int) -> None:
    assert counted(child, "o200k_base", "hello world") == 2
    child.send_signal(number)
    assert counted(child, "o200k_base", "hello world") == 2
