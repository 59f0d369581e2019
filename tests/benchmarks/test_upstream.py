"""What the fake provider says, and how nginx is told to say it."""

import json
from pathlib import Path

import pytest

from benchmarks import upstream
from benchmarks.children import BenchmarkError


def test_a_stream_is_64_events_that_end_as_streams_do() -> None:
    events = upstream.stream_events()
    assert len(events) == upstream.EVENTS
    assert all(event.startswith(b"data: ") and event.endswith(b"\n\n") and event.count(b"\n") == 2 for event in events)
    assert events[-1] == b"data: [DONE]\n\n"
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in events[:-1]]
    assert chunks[-1]["usage"]["total_tokens"] == 103
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"


def test_a_whole_answer_has_content_and_usage() -> None:
    answer = json.loads(upstream.chat_answer())
    assert answer["choices"][0]["message"]["content"]
    assert answer["usage"]["total_tokens"] == 103


def test_the_configuration_has_nothing_left_to_fill_in(tmp_path: Path) -> None:
    conf = upstream.rendered(tmp_path, 4711, Path("/modules"))
    assert "listen 127.0.0.1:4711 " in conf
    assert "load_module /modules/ngx_http_lua_module.so;" in conf
    assert "$" not in conf


def test_without_nginx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchmarkError, match="apt-get install nginx libnginx-mod-http-lua wrk"):
        upstream.modules_folder()
