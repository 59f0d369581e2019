import io
import subprocess
import sys
from array import array
from collections.abc import Mapping
from pathlib import Path
from threading import Barrier
from typing import Any

import orjson
import pytest

from ailb.vectors_child import HEAD, MOST_FRAME, Answer, _lock, answer_all, frame, read


def said(*frames: bytes) -> io.BytesIO:
    return io.BytesIO(b"".join(frames))


def answers(sink: io.BytesIO) -> dict[int, dict[str, Any]]:
    pipe = io.BytesIO(sink.getvalue())
    found: dict[int, dict[str, Any]] = {}
    while (got := read(pipe)) is not None:
        found[got[0]["id"]] = got[0]
    return found


def test_a_frame_is_read_as_it_was_written() -> None:
    pipe = said(frame({"id": 1}, array("f", [0.5, 2.0]).tobytes()), frame({"id": 2}))
    assert ({"id": 1}, array("f", [0.5, 2.0])) == read(pipe)
    assert ({"id": 2}, array("f")) == read(pipe)
    assert read(pipe) is None


@pytest.mark.parametrize("cut", range(1, 20))
def test_what_ends_in_the_middle_of_a_frame_has_ended(cut: int) -> None:
    whole = frame({"id": 1}, array("f", [0.5]).tobytes())
    assert read(io.BytesIO(whole[:-cut])) is None


def test_a_frame_beyond_all_bounds_is_not_waited_for() -> None:
    with pytest.raises(ValueError, match="too large"):
        read(io.BytesIO(HEAD.pack(MOST_FRAME, 1)))


def test_each_is_answered_and_what_fails_ends_nothing() -> None:
    def answer(asked: Mapping[str, Any], numbers: "array[float]") -> Any:
        if asked["do"] == "fail":
            raise KeyError("broken")
        return [asked["do"], numbers.tolist()]

    sink = io.BytesIO()
    source = said(frame({"id": 1}), frame({"id": 2, "do": "fail"}), frame({"id": 3, "do": "add"}, array("f", [1.0]).tobytes()))
    answer_all(source, sink, lambda first: (answer, 1))
    found = answers(sink)
    assert {1: None, 3: ["add", [1.0]]} == {id: found[id].get("found") for id in (1, 3)}
    assert "KeyError: 'broken'" == found[2]["error"]


def test_who_cannot_be_opened_says_why_and_ends() -> None:
    def open(first: Mapping[str, Any]) -> tuple[Answer, int]:
        raise OSError(f"no {first['folder']}")

    sink = io.BytesIO()
    answer_all(said(frame({"id": 1, "folder": "f"}), frame({"id": 2, "do": "query"})), sink, open)
    assert {1: {"id": 1, "error": "OSError: no f"}} == answers(sink)


def test_several_threads_answer_at_a_time() -> None:
    meet = Barrier(2, timeout=10)

    def answer(asked: Mapping[str, Any], numbers: "array[float]") -> Any:
        return meet.wait() >= 0

    sink = io.BytesIO()
    answer_all(said(frame({"id": 1}), frame({"id": 2}), frame({"id": 3})), sink, lambda first: (answer, 2))
    assert [True, True] == [answers(sink)[id]["found"] for id in (2, 3)]


def test_a_folder_is_one_process_s(tmp_path: Path) -> None:
    _lock(str(tmp_path / "lock"))
    again = f"from ailb.vectors_child import _lock; _lock({str(tmp_path / 'lock')!r})"
    root = Path(__file__).resolve().parents[2]
    second = subprocess.run([sys.executable, "-c", again], capture_output=True, text=True, cwd=root, check=False)
    assert (1, True) == (second.returncode, "another gateway has this folder" in second.stderr)


def test_the_process_ends_with_its_input_and_prints_nothing_but_frames(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    asked = frame({"id": 1, "url": "http://127.0.0.1:1", "token": ""})
    run = subprocess.run([sys.executable, "-m", "ailb.vectors_child"], input=asked, capture_output=True, cwd=root, check=False, timeout=50)
    assert run.returncode == 0
    (head, body) = run.stdout[: HEAD.size], run.stdout[HEAD.size :]
    assert (len(body), 0) == HEAD.unpack(head)
    assert {"id", "error"} == set(orjson.loads(body))
