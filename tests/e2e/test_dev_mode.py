"""Python's own watchers (FAULTS L4, L6): the loop is not held, nothing is left unclosed or unawaited."""

import re

from tests.e2e.conftest import Launch
from tests.e2e.scripts import fails, hello, silent, stalls
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked

SLOW = re.compile(r"Executing .* took (\d+\.\d+) seconds")
HELD = 2.0
"""The promise is 50 ms; this is for a loaded machine under a debugging interpreter."""


def test_python_in_dev_mode_has_nothing_to_say(launch: Launch, upstream: Upstream) -> None:
    good, bad = upstream.on(hello), upstream.on(fails(500))
    large = [{"role": "user", "content": "x" * 1000}] * 900
    with launch(env={"PYTHONDEVMODE": "1"}) as gateway:
        for stream in (False, True):
            assert gateway.chat(good, stream=stream, messages=large).status == 200
            assert gateway.chat(bad, stream=stream).status == 500
            for script in (silent, stalls):
                model = upstream.on(script)
                with gateway.client() as client:
                    client.post(asked(model, stream=stream))
                    call = upstream.call(model)
                assert call.gone.wait(10)
        assert gateway.stop() == 0
    assert [line for line in gateway.lines if "ResourceWarning" in line or "RuntimeWarning" in line] == []
    assert [line for line in gateway.lines if (slow := SLOW.search(line)) and float(slow[1]) > HELD] == []
