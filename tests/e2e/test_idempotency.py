"""`Idempotency-Key` on a real gateway (FAULTS A24): one upstream call, whoever asks again, whenever."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Thread

import pytest

from tests.e2e.gateway import PATIENT, Gateway, free_port, provider, table
from tests.e2e.raw import Answer
from tests.e2e.scripts import fails, held, hello
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked

Start = Callable[[], AbstractContextManager[Gateway]]
HEADERS = {"idempotency-key": "order-66"}
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture
def start(engine: str, upstream: Upstream, tmp_path: Path, new_store: Callable[[], str]) -> Start:
    port = free_port()
    text = f"[server]\n{table({'host': '127.0.0.1', 'port': port, 'engine': engine, 'drain_seconds': 2.0})}"
    text += f"[store]\n{table({'url': new_store(), 'patience': 10.0})}"
    text += "".join(f'[[layer]]\nuse = "{name}"\n' for name in ("access", "auth", "idempotency", "routing"))
    text += provider("a", f"http://127.0.0.1:{upstream.port}/a/v1", ["m-*"], PATIENT)
    file = tmp_path / "config.toml"
    file.write_text(text)

    @contextmanager
    def start() -> Iterator[Gateway]:
        with Gateway(file, port) as gateway:
            yield gateway
        gateway.check()

    return start


@BOTH
def test_an_answer_is_given_again_after_a_restart(start: Start, upstream: Upstream, stream: bool) -> None:
    model = upstream.on(hello)
    with start() as gateway:
        first = gateway.chat(model, stream=stream, headers=HEADERS)
    with start() as gateway:
        second = gateway.chat(model, stream=stream, headers=HEADERS)
        other = gateway.chat(model, stream=stream, headers=HEADERS, temperature=1)
    assert (200, 200, 409) == (first.status, second.status, other.status)
    assert (first.body, first.header("content-type")) == (second.body, second.header("content-type"))
    assert (None, "true") == (first.header("x-ailb-replayed"), second.header("x-ailb-replayed"))
    assert len(upstream.calls(model)) == 1


@BOTH
def test_five_at_once_are_one_call(start: Start, upstream: Upstream, stream: bool) -> None:
    model = upstream.on(hello)
    answers: list[Answer] = []
    with start() as gateway:
        threads = [Thread(target=lambda: answers.append(gateway.chat(model, stream=stream, headers=HEADERS))) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [200] * 5 == [answer.status for answer in answers]
    assert (1, 1) == (len({answer.body for answer in answers}), len(upstream.calls(model)))


def test_what_failed_can_be_tried_again(start: Start, upstream: Upstream) -> None:
    model = upstream.on(fails(400))
    with start() as gateway:
        statuses = [gateway.chat(model, headers=HEADERS).status for _ in range(2)]
    assert ([400, 400], 2) == (statuses, len(upstream.calls(model)))


def test_what_a_killed_gateway_was_at_can_be_tried_again(start: Start, upstream: Upstream) -> None:
    flag = upstream.flag()
    model = upstream.on(held(flag, "rest"))
    with start() as gateway:
        client = gateway.client().post(asked(model, stream=True), headers=HEADERS)
        client.head()
        client.until(b"first")
        gateway.kill()
        client.close()
    flag.set()
    with start() as gateway:
        again = [gateway.chat(model, stream=True, headers=HEADERS) for _ in range(2)]
    assert ([200, 200], 2) == ([answer.status for answer in again], len(upstream.calls(model)))
    assert again[0].body == again[1].body
