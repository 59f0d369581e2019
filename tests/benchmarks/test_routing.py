from pathlib import Path

import pytest

from benchmarks.routing import END, FLAKY, ORACLE, PAGE, ROOMY, SCENES, START, Figures, arrivals, cheapest, fleet, simulated, table, written
from middleware.strategies import STRATEGIES

REQUESTS = 2000


@pytest.fixture(scope="module")
def found() -> dict[str, Figures]:
    return {name: simulated(name, ROOMY, REQUESTS) for name in (ORACLE, "random", "cost_optimized", "latency_optimized")}


def test_the_same_seed_gives_the_same_numbers(found: dict[str, Figures]) -> None:
    assert found["random"] == simulated("random", ROOMY, REQUESTS)


def test_nobody_is_faster_than_the_oracle_nor_cheaper_than_the_cheapest(found: dict[str, Figures]) -> None:
    least = cheapest(REQUESTS)
    for one in found.values():
        assert one.mean >= found[ORACLE].mean
        assert one.cost >= least


def test_who_looks_at_failures_is_faster_where_some_fail(found: dict[str, Figures]) -> None:
    flaky = {name: simulated(name, FLAKY, REQUESTS) for name in (ORACLE, "failover", "latency_optimized")}
    assert flaky[ORACLE].mean <= flaky["latency_optimized"].mean < flaky["failover"].mean


def test_each_strategy_is_better_than_chance_at_what_it_is_for(found: dict[str, Figures]) -> None:
    assert found["latency_optimized"].mean < found["random"].mean
    assert found["cost_optimized"].cost < found["random"].cost


def test_the_fleet_has_bad_times_and_prices_in_another_order_for_another_prompt() -> None:
    servers = fleet(3600.0)
    assert all(spell.start < spell.end and 3 <= spell.times <= 10 for server in servers for spell in server.spells)
    assert sum(len(server.spells) for server in servers) > 20
    assert {0.3} == {spell.fails for server in fleet(3600.0, FLAKY) for spell in server.spells}
    best = {min(servers, key=arrival.cost).target for arrival in arrivals(2000)}
    assert len(best) > 1


def test_the_table_has_a_row_for_each() -> None:
    names = [ORACLE, *STRATEGIES]
    figures = {(name, scene): Figures(0.2, 0.4, 10, []) for name in names for scene in SCENES.values()}
    figures["random", ROOMY] = Figures(0.3, 1.0, 15, [])
    head, *rows = table(names, figures, 5)
    assert names == [row[0] for row in rows]
    assert {len(head)} == set(map(len, rows))
    assert ["1.50×", "2.50×", "1.00×", "1.00×", "1.00×", "1.00×", "3.00×"] == rows[names.index("random")][1:-1]


def test_only_the_measured_part_of_the_page_is_written_anew() -> None:
    page = f"# Head\n\n{START}old\n{END}\ntail\n"
    once = written(page, [["", "mean"], ["oracle", "1.00×"]], Figures(0.2, 0.4, 10, []), REQUESTS)
    assert once.startswith(f"# Head\n\n{START}| ")
    assert once.endswith(f"{END}\ntail\n")
    assert "| `oracle` | 1.00× |" in once
    assert "old" not in once


def test_the_page_has_a_place_for_what_is_measured() -> None:
    text = Path(PAGE).read_text(encoding="utf-8")
    assert 1 == text.count(START) == text.count(END)
    for name in STRATEGIES:
        assert f"| `{name}` |" in text
