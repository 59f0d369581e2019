"""The rig itself: a test that cannot fail shows nothing."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ailb import __version__
from tests.e2e.gateway import free_port
from tests.e2e.raw import Client
from tests.e2e.scripts import hello, sends, stalls
from tests.e2e.upstream import Upstream
from tests.e2e.warm import Process, ran
from tests.e2e.wire import asked, completion, error_of, said


@pytest.fixture
def client(upstream: Upstream) -> Iterator[Client]:
    with Client(upstream.port) as client:
        yield client


def test_a_whole_answer_and_a_stream_on_one_connection(upstream: Upstream, client: Client) -> None:
    model = upstream.on(hello)
    assert completion("hello") == client.post(asked(model)).answer().json
    assert said(client.post(asked(model, stream=True)).answer().body) == "hello"
    first, second = upstream.calls(model)
    assert first.connection == second.connection
    assert first.json == {"model": model, "stream": False, "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("leave", [Client.close, Client.reset, Client.half_close])
def test_the_upstream_sees_that_the_client_left(upstream: Upstream, leave: object) -> None:
    model = upstream.on(stalls)
    with Client(upstream.port) as client:
        client.post(asked(model, stream=True)).head()
        client.until(b"first")
        call = upstream.call(model)
        assert not call.gone.wait(0)
        assert callable(leave)
        leave(client)
        assert call.gone.wait(5)
        assert call.ended.wait(5)


def test_a_reset_and_a_cut_are_seen_by_the_client(upstream: Upstream) -> None:
    with Client(upstream.port) as client:
        client.post(asked(upstream.on(sends(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut")))).head()
        assert client.everything() == b"cut"
    with Client(upstream.port) as client:
        client.post(asked(upstream.on(sends(then="reset"))))
        assert client.ended()


def test_a_command_of_the_warm_process_ends_as_any_other(tmp_path: Path) -> None:
    assert (0, f"ailb {__version__}\n") == ran("--version")
    status, printed = ran("check", "--config", str(tmp_path / "none.toml"))
    assert (2, True) == (status, printed.startswith("ailb: "))
    config = tmp_path / "config.toml"
    config.write_text(f'[server]\nport = {free_port()}\n[[layer]]\nuse = "routing"\n[[provider]]\nname = "echo"\n')
    serving = Process("serve", "--config", str(config))
    with serving.stdout as stdout:
        assert "serving" in stdout.readline()
        assert None is serving.poll()
        serving.kill()
        assert -signal.SIGKILL == serving.wait(20)


def test_an_error_counts_only_at_the_end() -> None:
    error = b'data: {"error":{"message":"no"}}\n\n'
    assert error_of(b": comment\n\n" + error) == {"message": "no"}
    assert error_of(error + b"data: [DONE]\n\n") is None
    assert error_of(b"") is None
