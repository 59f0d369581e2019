"""A provider that failed is asked again as soon as it says that it is back, and not only when its circuit's time is over."""

from time import monotonic, sleep

import pytest

from tests.e2e.conftest import Launch
from tests.e2e.gateway import table
from tests.e2e.scripts import fails, hello
from tests.e2e.upstream import Talk, Upstream

OPEN_SECONDS = 30.0
"""The circuit's, unless a check closes it."""


@pytest.mark.parametrize("there", [True, False], ids=["back", "still away"])
def test_who_is_back_is_asked_again_before_its_time_is_over(launch: Launch, upstream: Upstream, there: bool) -> None:
    well = upstream.flag()

    async def answers(talk: Talk) -> None:
        await (hello if well.wait(0) else fails(500))(talk)

    async def lists(talk: Talk) -> None:
        await (talk.answer({"data": [{"id": "w-1"}]}) if well.wait(0) and there else fails(503)(talk))

    model, path = upstream.on(answers, kind="w"), f"/watched-{there}/v1"
    upstream.at(f"{path}/models", lists)
    told = {"name": "watched", "kind": "openai", "base_url": f"http://127.0.0.1:{upstream.port}{path}", "api_key": "k" * 20}
    with launch(f"[[provider]]\n{table({**told, 'models': ['w-*'], 'local': True, 'health_seconds': 1.0})}") as gateway:
        assert [500] * 5 == [gateway.chat(model).status for _ in range(5)]
        assert (503, 5) == (gateway.chat(model).status, len(upstream.calls(model)))
        well.set()
        if there:
            deadline = monotonic() + OPEN_SECONDS / 2
            while gateway.chat(model).status != 200 and monotonic() < deadline:
                sleep(0.05)  # Nothing tells when a check was done.
            assert 200 == gateway.chat(model).status
        else:
            upstream.call(f"{path}/models", len(upstream.calls(f"{path}/models")) + 2)
            assert (503, 5) == (gateway.chat(model).status, len(upstream.calls(model)))
