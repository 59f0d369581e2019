import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import orjson
import pytest

from ailb.commands import explain
from tests.ailb.commands.test_explain_asked import gateway

RECORD: dict[str, Any] = {
    "id": "req_1",
    "caller": {"user": "ann", "key_id": None},
    "asked": "fast",
    "stream": False,
    "would": "ask a/m",
    "refusal": None,
}


def run(*words: str, **environ: str) -> int:
    parser = ArgumentParser()
    explain.arguments(parser)
    return explain.run(parser.parse_args(words), environ)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "request.json"
    path.write_bytes(b'{"model": "fast"}')
    return str(path)


def test_it_tells_what_would_become_of_the_request_in_a_file(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    with gateway(orjson.dumps(RECORD)) as (where, seen):
        assert 0 == run(file, "--url", where, "--user", "ann", AILB_ADMIN_KEY="secret")
    assert "would ask a/m\nfor ann, who asks for fast\n" == capsys.readouterr().out
    assert [("Bearer secret", "ann", b'{"model": "fast"}')] == [(key, user, body) for _, key, user, _, body in seen]


def test_it_takes_the_standard_input_and_can_answer_in_json() -> None:
    with gateway(orjson.dumps(RECORD)) as (where, seen):
        command = [sys.executable, "-m", "ailb", "explain", "-", "--url", where, "--json"]
        ran = subprocess.run(command, input=b'{"model": "piped"}', capture_output=True, check=False, timeout=30)
    assert (0, b"", RECORD) == (ran.returncode, ran.stderr, orjson.loads(ran.stdout))
    assert [b'{"model": "piped"}'] == [body for *_, body in seen]


def test_a_request_that_would_be_refused_is_a_failure(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused = {**RECORD, "would": "refuse", "refusal": {"status_code": 402, "detail": "Budget exceeded."}}
    with gateway(orjson.dumps(refused)) as (where, _):
        assert 1 == run(file, "--url", where)
    assert "because 402: Budget exceeded." in capsys.readouterr().out


def test_what_cannot_be_asked_is_said_in_a_line(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    with gateway(b'{"detail": "Invalid API key"}', 401) as (where, _):
        assert 1 == run(file, "--url", where)
    assert capsys.readouterr().err.endswith("answers 401: Invalid API key\n")
    assert 1 == run("no-such-file.json")
    assert "ailb: no-such-file.json: No such file or directory\n" == capsys.readouterr().err
