import os
from pathlib import Path

import pytest

from ailb.commands.rag_files import File, mark, walk
from ailb.ingest.limits import Unreadable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.md", "sub/b.txt", "sub/deeper/c.PDF", "image.png", ".hidden.md", ".git/d.md", "sub/e.html"):
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "docs"


def test_a_folder_is_what_can_be_read_in_it(folder: Path) -> None:
    walked = walk([folder])
    assert ["a.md", "sub/b.txt", "sub/deeper/c.PDF", "sub/e.html"] == sorted(walked.files)
    assert {mark(folder)} == walked.folders == {file.folder for file in walked.files.values()}
    assert ([], 1, {""}) == (walked.problems, walked.others, {file.guess for file in walked.files.values()})


def test_a_file_is_meant_whatever_it_is(folder: Path) -> None:
    walked = walk([folder / "image.png", folder / ".hidden.md"])
    assert {"image.png": "", ".hidden.md": ""} == {id: file.folder for id, file in walked.files.items()}
    assert (set(), 0) == (walked.folders, walked.others)


@pytest.mark.parametrize(
    ("name", "type"), [("README", "text/plain"), ("a.py", "text/plain"), ("a.docx", ""), ("a.RTF", ""), ("a.xlsx", "")]
)
def test_what_was_named_is_text_but_for_what_offices_write(name: str, type: str) -> None:
    assert type == File(name, Path("/some", name)).guess


def test_what_is_not_there_is_told_and_the_rest_is_seen(folder: Path) -> None:
    walked = walk([folder / "no-such", folder / "a.md"])
    assert [f"{folder}/no-such: there is no such file or folder"] == [problem.message for problem in walked.problems]
    assert ["a.md"] == list(walked.files)


def test_two_files_of_one_name_are_told(folder: Path) -> None:
    (folder / "sub" / "a.md").write_text("another")
    walked = walk([folder, folder / "sub" / "a.md", folder / "a.md"])
    assert [f"{folder}/sub/a.md: would take the place of {folder}/a.md: both are a.md"] == [one.message for one in walked.problems]
    assert folder / "a.md" == walked.files["a.md"].path


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_was_not_seen_whole_is_not_said_to_be(folder: Path) -> None:
    (folder / "sub").chmod(0)
    walked = walk([folder])
    (folder / "sub").chmod(0o700)
    assert (["a.md"], set(), 1) == (list(walked.files), walked.folders, len(walked.problems))


def test_a_name_is_written_in_one_way(tmp_path: Path) -> None:
    (tmp_path / "u\u0308.md").write_text("x")
    assert ["\u00fc.md"] == list(walk([tmp_path]).files)


def test_a_file_is_read_up_to_its_limit(folder: Path) -> None:
    assert b"a.md" == File("a.md", folder / "a.md").read(4)
    with pytest.raises(Unreadable, match=r"a\.md: has 4 bytes, and may have 3"):
        File("a.md", folder / "a.md").read(3)
    with pytest.raises(Unreadable, match=r"b\.md: cannot be read: No such file"):
        File("b.md", folder / "b.md").read(3)
