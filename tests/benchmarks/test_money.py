"""How often something is measured."""

from benchmarks.money import Plan, parser


def test_every_round_has_each_workload_of_each_contender_on_each_engine() -> None:
    assert Plan(rounds=1).steps == 2 * 3 * 3
    assert parser().parse_args([]).write is False
