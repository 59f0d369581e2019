from argparse import ArgumentParser
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("onnxruntime") is None:
    pytest.skip("ailb[rag] is not installed", allow_module_level=True)

from ailb.commands import rag
from tests.ailb.commands.library import Library, serving


def run(*words: str, **environ: str) -> int:
    parser = ArgumentParser()
    rag.arguments(parser)
    return rag.run(parser.parse_args(words), environ)


def test_in_and_found_and_out_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.md").write_text("# A\n\ntext")
    with serving(Library()) as library:
        url = ("--url", library.url)
        assert 0 == run("ingest", "manual", str(tmp_path), *url, "--user", "ann", AILB_ADMIN_KEY="secret")
        assert "1 taken in\n" == capsys.readouterr().out
        assert {("Bearer secret", "ann")} == {(said["authorization"], said["x-user-id"]) for said in library.headers}
        assert 0 == run("list", *url) == run("list", "manual", *url) == run("search", "manual", "why? ", "--top", "2", *url)
        said = capsys.readouterr().out
        for word in ("manual", "a.md", "1. a.md, page 2: A (0.500)", "why? why?"):
            assert word in said
        assert 0 == run("delete", "manual", "a.md", *url)
        assert {} == library.documents
        assert 0 == run("delete", "manual", *url)
        assert {} == library.collections
        assert 1 == run("delete", "manual", *url)
    assert "ailb: no such collection\n" == capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.md").write_text("# A\n\ntext")
    with serving(Library()) as library:
        assert 1 == run("ingest", "manual", str(tmp_path), "--url", library.url, "--max-bytes", "3")
    assert "1 not readable\na.md: has 9 bytes, and may have 3\n" == capsys.readouterr().out


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5"])
def test_what_is_no_count_is_refused(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("ingest", "manual", ".", "--jobs", count)
    assert f"'{count}'" in capsys.readouterr().err
