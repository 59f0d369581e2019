"""A row of the ledger is corrected beside a gateway that runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.paying import COST, api, audited, budget, new_key, rows, settled, started, written
from tests.e2e.scripts import hello
from tests.e2e.upstream import Upstream
from tests.e2e.warm import ran


def correct(file: Path, *words: str) -> tuple[int, str]:
    """The status, and what is printed."""
    return ran("billing", "correct", *words, "--config", str(file))


def test_what_is_corrected_is_seen_and_can_be_spent(engine: str, upstream: Upstream, tmp_path: Path, new_store: Callable[[], str]) -> None:
    file = written(engine, upstream, tmp_path, new_store())
    with started(file) as gateway:
        secret, id = new_key(gateway, monthly_quota_dollars=COST)
        model = upstream.on(hello)
        headers = {"authorization": f"Bearer {secret}"}
        assert [200, 402] == [gateway.chat(model, headers=headers, max_tokens=2).status for _ in range(2)]
        assert COST == settled(gateway, id)["current_spend"]
        (row,) = rows(gateway, id)
        status, printed = correct(file, str(row["id"]), "--cost", "0.0005", "--reason", "a gift")
        assert (0, 1) == (status, printed.count("\n")), printed
        first, new = rows(gateway, id)
        assert first == row
        expected = {"kind": "correction", "cost": -0.0015, "corrects": row["id"], "reason": "a gift", "at": row["at"]}
        assert expected == {name: new[name] for name in expected}
        assert (0.0005, 0.0015) == tuple(budget(gateway, id)[name] for name in ("current_spend", "remaining_budget"))
        assert pytest.approx(0.0005) == api(gateway, "GET", f"/api/billing/spend?key_id={id}")["total_spend"]
        assert 1 == correct(file, "99", "--cost", "1")[0]
        assert 0 == correct(file, str(row["id"]), "--cost", "0")[0]
        assert 200 == gateway.chat(model, headers=headers, max_tokens=2).status
        assert COST == settled(gateway, id)["current_spend"]
        audited(file)
