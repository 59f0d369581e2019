"""How often something is measured."""

from benchmarks.others import Plan, parser


def test_every_round_has_each_contender_on_each_engine_and_litellm_once() -> None:
    assert Plan(rounds=1).steps == 1 + 6 + 1
    assert Plan(rounds=3).steps == 1 + 3 * 7
    assert parser().parse_args([]).write is False
