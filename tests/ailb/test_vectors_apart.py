"""The process apart: what becomes of whoever asks when it dies, hangs, or does not start. It is one without Chroma here."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ailb import vectors_apart
from ailb.errors import Unavailable
from ailb.vectors_apart import BATCH, Apart

CHILD = """
import os, sys, time
from ailb.vectors_child import answer_all

rows = {}
def answer(said, numbers):
    if said["do"] == "query":
        if said["collection"] == "environment":
            return [[len(os.environ.get(name, "")), 0.0] for name in ("AILB_ADMIN_KEY", "PATH")]
        if said["collection"] == "die":
            os._exit(3)
        if said["collection"] == "hang":
            time.sleep(3600)
        if said["collection"] == "refuse":
            raise ValueError("not so")
        if said["collection"] == "pid":
            return [[os.getpid(), 0.0]]
        return [[id, 1.0] for id in rows.get(said["collection"], [])][: said["most"]]
    if said["do"] == "add":
        rows.setdefault(said["collection"], []).extend(said["ids"])
    if said["do"] == "drop":
        rows.pop(said["collection"], None)
    if said["do"] == "delete":
        rows[said["collection"]] = [id for id in rows[said["collection"]] if id not in said["ids"]]

def opened(first):
    if os.path.exists(os.path.join(first["folder"], "broken")):
        raise OSError("broken folder")
    return answer, 1

answer_all(sys.stdin.buffer, os.fdopen(1, "wb"), opened)
"""
ONE = [1.0, 0.0]


def apart(folder: Path, seconds: float = 20.0) -> Apart:
    return Apart({"folder": str(folder)}, query_seconds=seconds, command=("-c", CHILD))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


async def pid_of(vectors: Apart) -> int:
    return (await vectors.query("pid", ONE, 1))[0][0]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_all_is_added_in_batches_and_deleted_and_dropped(tmp_path: Path) -> None:
    async with apart(tmp_path) as vectors:
        many = list(range(3 * BATCH + 1))
        await vectors.add("c", many, [ONE] * len(many))
        assert many == [id for id, _ in await vectors.query("c", ONE, 1000)]
        await vectors.delete("c", many[1:])
        assert [(0, 1.0)] == await vectors.query("c", ONE, 1000)
        await vectors.drop("c")
        assert [] == await vectors.query("c", ONE, 1000)


async def test_what_is_no_vector_is_not_even_asked(tmp_path: Path) -> None:
    async with apart(tmp_path) as vectors:
        with pytest.raises(ValueError, match="finite"):
            await vectors.query("c", [float("nan")], 1)
        with pytest.raises(ValueError, match="direction"):
            await vectors.add("c", [1], [[0.0]])


async def test_it_sees_nothing_of_the_environment_that_it_does_not_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AILB_ADMIN_KEY", "admin-key-of-a-test")
    async with apart(tmp_path) as vectors:
        ((none, _), (some, _)) = await vectors.query("environment", ONE, 2)
        assert (0, True) == (none, some > 0)


async def test_it_is_started_when_it_is_needed_and_ends_with_the_gateway(tmp_path: Path) -> None:
    async with Apart({"folder": str(tmp_path / "none")}, command=("-c", CHILD)) as vectors:
        assert (None, None) == (vectors._starting, vectors.up)
    async with apart(tmp_path) as vectors:
        assert (True, None) == (vectors._starting is not None, vectors.up)
        await until(lambda: vectors.up is True)  # it is open, though nobody has asked
        pid = await pid_of(vectors)
        assert (True, True) == (alive(pid), vectors.up)
    assert not alive(pid)


async def test_one_that_is_still_being_opened_is_not_waited_for_at_the_end(tmp_path: Path) -> None:
    slow = "import os, sys, time; open(sys.argv[1], 'w').write(f'{os.getpid()}.'); time.sleep(3600)"
    told = tmp_path / "pid"
    async with asyncio.timeout(10):
        async with Apart({"folder": str(tmp_path)}, command=("-c", slow, str(told))):
            await until(lambda: told.exists() and told.read_text().endswith("."))
    assert not alive(int(told.read_text().strip(".")))


async def test_after_its_death_the_next_question_starts_another(tmp_path: Path) -> None:
    async with apart(tmp_path) as vectors:
        first = await pid_of(vectors)
        with pytest.raises(Unavailable, match="not available"):
            await vectors.query("die", ONE, 1)
        assert vectors.up is False
        vectors._again = 0.0
        assert (True, True) == (first != await pid_of(vectors), vectors.up)


async def test_when_it_is_killed_those_who_wait_are_told(tmp_path: Path) -> None:
    async with apart(tmp_path) as vectors:
        pid = await pid_of(vectors)
        waiting = asyncio.ensure_future(vectors.query("hang", ONE, 1))
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(Unavailable):
            await waiting


async def test_what_it_refuses_ends_nothing(tmp_path: Path) -> None:
    async with apart(tmp_path) as vectors:
        pid = await pid_of(vectors)
        with capture_logs() as logs, pytest.raises(Unavailable):
            await vectors.query("refuse", ONE, 1)
        assert (["ValueError: not so"], False) == ([line["problem"] for line in logs], vectors.up)
        assert (pid, True) == (await pid_of(vectors), vectors.up)


async def test_one_that_does_not_answer_is_not_waited_for_and_not_asked_for_a_while(tmp_path: Path) -> None:
    async with apart(tmp_path) as vectors:
        pid = await pid_of(vectors)
        os.kill(pid, signal.SIGSTOP)
        vectors._query_seconds = 0.05
        with capture_logs() as logs:
            for text in ("in time", "does not answer"):
                with pytest.raises(Unavailable, match=text):
                    await vectors.query("c", ONE, 1)
        assert (1, False) == (len(logs), vectors.up)
        os.kill(pid, signal.SIGCONT)
        vectors._query_seconds, vectors._resting = 20.0, 0.0
        assert pid == await pid_of(vectors)


async def test_one_that_hangs_is_killed_and_replaced(tmp_path: Path) -> None:
    async with apart(tmp_path) as vectors:
        pid = await pid_of(vectors)
        os.kill(pid, signal.SIGSTOP)
        vectors._query_seconds = 0.05
        assert vectors._starting is not None
        vectors._starting.result().most_silence = 0.0
        with capture_logs() as logs, pytest.raises(Unavailable):
            await vectors.query("c", ONE, 1)
        assert [True] == ["hangs" in line["event"] for line in logs if line["log_level"] == "error"]
        await until(lambda: not alive(pid))
        vectors._query_seconds, vectors._resting, vectors._again = 20.0, 0.0, 0.0
        assert pid != await pid_of(vectors)


async def test_one_that_cannot_be_opened_is_tried_again_after_a_while_only(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    with capture_logs() as logs:
        async with apart(tmp_path) as vectors:
            for _ in range(3):
                with pytest.raises(Unavailable):
                    await vectors.query("c", ONE, 1)
            assert vectors.up is False
            broken.unlink()
            vectors._again = 0.0
            assert [] == await vectors.query("c", ONE, 1)
    assert 1 == sum("cannot be opened" in line["event"] for line in logs)


async def test_a_cancelled_question_leaves_the_others_their_answers(tmp_path: Path) -> None:
    async with apart(tmp_path) as vectors:
        await vectors.add("c", [7], [ONE])
        for _ in range(20):
            task = asyncio.ensure_future(vectors.query("pid", ONE, 1))
            await asyncio.sleep(0)
            task.cancel()
        assert [(7, 1.0)] == await vectors.query("c", ONE, 1)


async def test_too_many_questions_are_refused_at_once(tmp_path: Path) -> None:
    async with apart(tmp_path, seconds=0.5) as vectors:
        os.kill(await pid_of(vectors), signal.SIGSTOP)
        asked = [asyncio.ensure_future(vectors.query("c", ONE, 1)) for _ in range(vectors_apart.MOST_WAITING + 5)]
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert {Unavailable} == {type(each) for each in told}
        assert 5 == sum("not available" in str(each) for each in told)
        assert vectors._starting is not None
        vectors._starting.result().kill()
