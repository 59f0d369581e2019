from dataclasses import replace
from pathlib import Path

from structlog.testing import capture_logs

from ailb.admin.stats import set_up
from ailb.config import Config
from ailb.models import Models
from tests.ailb.admin.desk import ADMIN, Desk
from tests.ailb.admin.test_explain import desk
from tests.ailb.serving import Upstream, snapshot
from tests.ailb.test_stats import NEVER

PATH = "/api/routing/stats"


async def test_nothing_has_happened_yet_and_no_key_is_needed_at_home(tmp_path: Path) -> None:
    async with Desk(tmp_path) as calm:
        told = await calm.call("GET", PATH)
    assert 200 == told.status
    counts = {"total_requests": 0, "successful_requests": 0, "failed_requests": 0, "success_rate": 1.0}
    assert {"strategy": "", **counts, "providers": {"fake": {**NEVER, "models": {}}}} == told.json


async def test_with_an_admin_key_it_is_the_admins(tmp_path: Path) -> None:
    async with Desk(tmp_path, keyed=True) as keyed:
        secret, _ = await keyed.keys.create("ann", {"name": "ann's"})
        statuses = [
            (await keyed.call("GET", PATH, headers=headers)).status
            for headers in ({}, {"authorization": f"Bearer {secret}"}, {"authorization": f"Bearer {ADMIN}"}, {"x-user-id": "ann"})
        ]
    assert [401, 403, 200, 401] == statuses


async def test_what_was_asked_is_told_by_provider_and_model() -> None:
    async with desk() as gateway:
        with capture_logs():
            assert 200 == (await gateway.call("POST", "/v1/chat/completions")).status
        told = (await gateway.call("GET", PATH, b"")).json
    assert (1, 1, 0, 1.0) == tuple(told[name] for name in ("total_requests", "successful_requests", "failed_requests", "success_rate"))
    provider = told["providers"]["fake"]
    assert (1, 1) == (provider["requests"], provider["models"]["m"]["requests"])
    assert provider["p50_latency_ms"] <= provider["p95_latency_ms"] == provider["models"]["m"]["p95_latency_ms"]


def test_what_the_configuration_names_is_there() -> None:
    base = snapshot(Upstream())
    config = Config.model_validate(
        {
            "layer": [{"use": "routing"}],
            "provider": [{"name": "fake", "kind": "echo", "models": ["one", "x-*"]}, {"name": "off", "kind": "echo", "models": ["two"]}],
            "model": [
                {"name": "ours", "targets": [{"provider": "fake", "model": "three"}]},
                {"name": "gone", "targets": [{"provider": "off", "model": "two"}]},
                {"name": "y-*", "targets": [{"provider": "fake"}]},
            ],
        }
    )
    models = Models({"fake": ("one",)}, {"ours": Models({"fake": ("three",)}).targets("three")})
    found = list(set_up(replace(base, config=config, models=models)))
    assert [("fake", ""), ("fake", "one"), ("fake", "three")] == found
