"""The bindings themselves, and folders that Chroma's own client has written or goes on with."""

import json
import sqlite3
import subprocess
import sys
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ailb.vectors_child import by_client
from ailb.vectors_folder import Folder, bindings, nearest, rows

core = pytest.importorskip("chromadb_rust_bindings", reason="Chroma is not installed: ailb[rag]")
ROOT = Path(__file__).resolve().parents[2]


def told(answer: Any, do: str, collection: str, numbers: Sequence[float] = (), **more: Any) -> Any:
    said: Mapping[str, Any] = {"do": do, "collection": collection, **more}
    return answer(said, array("f", numbers))


def ids(found: Sequence[tuple[int, float]]) -> list[int]:
    return [id for id, _ in found]


def test_what_the_client_has_made_is_read_and_the_other_way_round(tmp_path: Path) -> None:
    whole = by_client(str(tmp_path))
    told(whole, "add", "client", [1.0, 0.0, 0.0, 1.0], ids=[1, 2])
    known = Folder(bindings(str(tmp_path)))
    told(known, "add", "client", [3.0, 1.0], ids=[3])
    told(known, "add", "bindings", [1.0, 0.0, 0.0, 1.0], ids=[4, 5])
    assert [1, 3, 2] == ids(told(known, "query", "client", [1.0, 0.0], most=5))
    again = by_client(str(tmp_path))
    assert [[1, 3, 2], [4, 5]] == [ids(told(again, "query", name, [1.0, 0.0], most=5)) for name in ("client", "bindings")]


def test_both_make_the_same_collection(tmp_path: Path) -> None:
    told(by_client(str(tmp_path)), "add", "client", [1.0, 0.0], ids=[1])
    told(Folder(bindings(str(tmp_path))), "add", "bindings", [1.0, 0.0], ids=[1])
    database = sqlite3.connect(tmp_path / "chroma.sqlite3")
    one, other = database.execute("SELECT dimension, config_json_str, schema_str FROM collections").fetchall()
    database.close()
    assert one[:2] == other[:2]
    assert json.loads(one[2]) == json.loads(other[2])


def test_a_collection_that_is_not_there_is_empty_until_something_is_added(tmp_path: Path) -> None:
    one = Folder(bindings(str(tmp_path)))
    assert [None, None, None] == [told(one, do, "c", [1.0], ids=[1], most=1) for do in ("query", "delete", "drop")]
    for number in (1, 2):
        told(one, "add", "c", [1.0] * number, ids=[number])
        assert [number] == ids(told(one, "query", "c", [1.0] * number, most=1))
        told(one, "drop", "c")
        assert told(one, "query", "c", [1.0], most=1) is None


def test_the_rest_of_chroma_is_not_loaded(tmp_path: Path) -> None:
    """It would be with the first error, so whatever happens every day is none."""
    run = (
        "import sys; from array import array; from ailb.vectors_folder import Folder, bindings\n"
        f"one = Folder(bindings({str(tmp_path)!r}))\n"
        "for do in ('query', 'delete', 'drop', 'add', 'query', 'delete', 'query', 'drop', 'add'):\n"
        "    one({'do': do, 'collection': 'c', 'ids': [1], 'most': 3}, array('f', [1.0, 2.0]))\n"
        "print('chromadb' in sys.modules, 'numpy' in sys.modules)"
    )
    assert "False False\n" == subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, cwd=ROOT, check=True).stdout


class Odd:
    """A module of bindings that take something else."""

    class Bindings:
        def __init__(self, sqlite_db_config: Any) -> None: ...

    SqliteDBConfig = core.SqliteDBConfig
    MigrationHash = MigrationMode = None


@pytest.mark.parametrize("package", ["no_such_package", "json", "odd_bindings"])
def test_bindings_that_are_not_known_are_left_alone(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "odd_bindings", Odd)
    assert bindings(str(tmp_path), package) is None
    assert [] == list(tmp_path.iterdir())


def test_the_client_does_what_the_bindings_do(tmp_path: Path) -> None:
    one = by_client(str(tmp_path))
    told(one, "add", "c", [1.0, 0.0, 1.0, 1.0], ids=[1, 2])
    told(one, "delete", "c", ids=[2])
    assert [1] == ids(told(one, "query", "c", [1.0, 0.0], most=2))
    told(one, "drop", "c")
    assert told(one, "query", "c", [1.0, 0.0], most=2) is None


def test_rows_are_as_wide_as_the_numbers_say() -> None:
    assert [[1.0, 2.0], [3.0, 4.0]] == rows(array("f", [1.0, 2.0, 3.0, 4.0]), 2)


def test_a_neighbour_at_no_distance_is_none() -> None:
    assert [(2, 0.75)] == nearest(["1", "2", "3"], [float("nan"), 0.25, float("inf")])
