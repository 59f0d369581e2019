import pytest
from prometheus_client.parser import text_string_to_metric_families

from ailb.attempts import MOST_TARGETS
from ailb.dialect import Target
from ailb.exchange import Attempt, Exchange, Outcome
from ailb.keys import Key
from ailb.metrics import Metrics
from ailb.tally import Shared
from ailb.testing import ask
from ailb.turns import TURN
from ailb.usage import Usage
from tests.ailb.driving import driven

OPENAI = Target("openai", "gpt-4o")


def served(target: Target | None = OPENAI, *statuses: int) -> Exchange:
    exchange = ask(headers={"authorization": "Bearer sk-canary-canary"}, user="canary")
    exchange.caller.user, exchange.caller.key = "canary", Key("key-canary", "canary")
    exchange.target = target
    exchange.attempts = [Attempt(target, exchange.prompt, 0.0, status=status) for status in statuses if target]
    return exchange


def text(metrics: Metrics) -> bytes:
    return driven(written(metrics))[0]


async def written(metrics: Metrics) -> bytes:
    return b"".join([part async for part in (await metrics.exposition()).text()])


def samples(metrics: Metrics) -> dict[str, float]:
    """`name{label="value",...}` with the labels in order, as a scraper sees them."""
    found = {}
    for family in text_string_to_metric_families(text(metrics).decode()):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_the_tokens_of_an_answer_that_nobody_was_asked_for_are_not_counted() -> None:
    metrics = Metrics()
    metrics.request(served(None), Outcome("complete", 200, 0.3, usage=Usage(7, 5)))
    assert {0} == {number for name, number in samples(metrics).items() if name.startswith("ailb_tokens_processed")}


def test_what_one_request_counts() -> None:
    metrics = Metrics()
    metrics.request(served(OPENAI, 503, 200), Outcome("complete", 200, 0.3, usage=Usage(7, 5), first_event=0.02))
    found = samples(metrics)
    where = 'model="gpt-4o",provider="openai"'
    expected = {
        f'ailb_requests_total{{{where},status="200"}}': 1,
        f"ailb_request_latency_ms_count{{{where}}}": 1,
        f"ailb_request_latency_ms_sum{{{where}}}": 300,
        f'ailb_request_latency_ms_bucket{{le="250.0",{where}}}': 0,
        f'ailb_request_latency_ms_bucket{{le="500.0",{where}}}': 1,
        f'ailb_request_latency_ms_bucket{{le="+Inf",{where}}}': 1,
        f"ailb_first_event_ms_sum{{{where}}}": 20,
        f'ailb_tokens_processed{{kind="input",{where}}}': 7,
        f'ailb_tokens_processed{{kind="output",{where}}}': 5,
        'ailb_upstream_attempts_total{provider="openai",status="503"}': 1,
        'ailb_upstream_attempts_total{provider="openai",status="200"}': 1,
        "ailb_open_exchanges": 0,
    }
    assert expected == {name: found[name] for name in expected}


def test_an_attempt_that_got_no_status_is_told_as_one() -> None:
    metrics = Metrics()
    exchange = served(OPENAI, 200)
    exchange.attempts[0].status = None
    metrics.request(exchange, Outcome("disconnected", 499, 0.1))
    assert samples(metrics)['ailb_upstream_attempts_total{provider="openai",status="none"}'] == 1


def test_the_guides_names_have_the_guides_types() -> None:
    metrics = Metrics()
    metrics.request(served(), Outcome("complete", 200, 0.1))
    told = text(metrics).decode()
    assert "# TYPE ailb_requests_total counter" in told
    assert "# TYPE ailb_request_latency_ms histogram" in told
    assert "\nailb_tokens_processed{" in told


def test_counts_add_up() -> None:
    metrics = Metrics()
    for status in (200, 200, 429):
        metrics.request(served(), Outcome("complete", status, 0.001, usage=Usage(1, 1)))
    found = samples(metrics)
    assert [2, 1] == [found[f'ailb_requests_total{{model="gpt-4o",provider="openai",status="{status}"}}'] for status in (200, 429)]
    assert found['ailb_tokens_processed{kind="input",model="gpt-4o",provider="openai"}'] == 3


def test_a_request_that_found_no_target_has_no_name_of_its_own() -> None:
    metrics = Metrics()
    metrics.request(served(None), Outcome("refused", 404, 0.001))
    assert samples(metrics)['ailb_requests_total{model="other",provider="other",status="404"}'] == 1


def test_how_many_are_open_is_told() -> None:
    metrics = Metrics()
    metrics.open[0] += 3
    assert samples(metrics)["ailb_open_exchanges"] == 3


def test_made_up_models_share_one_label_in_the_end() -> None:
    metrics = Metrics()
    for number in range(MOST_TARGETS + 500):
        metrics.request(served(Target("echo", f"m{number}")), Outcome("complete", 200, 0.001))
    requests = {name: value for name, value in samples(metrics).items() if name.startswith("ailb_requests_total")}
    assert len(requests) == MOST_TARGETS + 1
    assert requests['ailb_requests_total{model="other",provider="echo",status="200"}'] == 500


def test_as_many_targets_as_there_may_be_let_others_have_their_turn() -> None:
    """Each target has 42 lines, and a few at a time are written."""
    shared, targets = Shared(2), MOST_TARGETS // 10
    one, two = (Metrics(shared.tally(seat)) for seat in (0, 1))
    for number in range(targets):
        two.request(served(Target("echo", f"m{number}"), 200), Outcome("complete", 200, 0.1, usage=Usage(1, 1)))
    found, turns = driven(written(one))
    assert 45 * targets > found.count(b"\n") - text(Metrics()).count(b"\n") > 40 * targets
    assert turns >= 6 * targets // TURN  # three rows of each are found in the other's memory, and three are written
    (total, good), turns = driven(one.served())
    assert (targets, targets) == (total, good)
    assert turns >= 3 * targets // TURN


def test_no_key_and_no_user_is_in_the_exposition() -> None:
    metrics = Metrics()
    metrics.request(served(OPENAI, 200), Outcome("complete", 200, 0.1))
    assert b"canary" not in text(metrics)


@pytest.mark.parametrize("model", ['a"b', "a\\b", "a\nb", "日本", "{}%s"])
def test_any_model_name_is_escaped(model: str) -> None:
    metrics = Metrics()
    metrics.request(served(Target("p", model)), Outcome("complete", 200, 0.1))
    labels = [
        s.labels for f in text_string_to_metric_families(text(metrics).decode()) for s in f.samples if s.name == "ailb_requests_total"
    ]
    assert [{"provider": "p", "model": model, "status": "200"}] == labels


def test_what_the_attempts_cost_is_counted_where_it_was_spent() -> None:
    metrics = Metrics()
    exchange = served(OPENAI, 500, 200)
    exchange.attempts[0].target = Target("a", "m")
    exchange.attempts[0].cost, exchange.attempts[1].cost = 500_000_000, 2_000_000_000
    exchange.notes |= {"clamped": 5, "budget_warning": "key, global"}
    metrics.request(exchange, Outcome("complete", 200, 0.1))
    metrics.request(served(OPENAI, 200), Outcome("complete", 200, 0.1))
    found = samples(metrics)
    expected = {
        'ailb_cost_total_usd{model="m",provider="a"}': 0.5,
        'ailb_cost_total_usd{model="gpt-4o",provider="openai"}': 2,
        "ailb_budget_holds_total": 2,
        "ailb_budget_clamps_total": 1,
        'ailb_budget_warnings_total{scope="key"}': 1,
        'ailb_budget_warnings_total{scope="global"}': 1,
    }
    assert expected == {name: found[name] for name in expected}


@pytest.mark.parametrize(
    ("outcomes", "rate"),
    [
        ([Outcome("complete", 200, 0.1)], 1),
        ([Outcome("complete", 200, 0.1), Outcome("refused", 503, 0.1)], 0.5),
        ([Outcome("refused", 400, 0.1), Outcome("disconnected", 200, 0.1), Outcome("disconnected", 499, 0.1)], 1),
        ([Outcome("broken", 200, 0.1)], 0),
    ],
)
def test_what_failed_counts_against_the_success_rate(outcomes: list[Outcome], rate: float) -> None:
    metrics = Metrics()
    for outcome in outcomes:
        metrics.request(served(), outcome)
    assert rate == samples(metrics)['ailb_request_success_rate{model="gpt-4o",provider="openai"}']


def test_a_scrape_of_any_process_is_the_sum_of_all() -> None:
    shared = Shared(2)
    one, two = Metrics(shared.tally(0)), Metrics(shared.tally(1))
    for metrics, outcome in (
        (one, Outcome("complete", 200, 0.02)),
        (one, Outcome("refused", 503, 0.2)),
        (two, Outcome("complete", 200, 0.3)),
    ):
        exchange = served(OPENAI, outcome.http_status)
        exchange.attempts[0].cost = 500_000_000
        exchange.notes |= {"clamped": 5, "budget_warning": "key"}
        metrics.request(exchange, outcome)
    two.request(served(Target("a", "only-two")), Outcome("complete", 200, 0.1, usage=Usage(7, 5)))
    one.open[0], two.open[0] = 3, 4
    where = 'model="gpt-4o",provider="openai"'
    expected = {
        f'ailb_requests_total{{{where},status="200"}}': 2,
        f'ailb_requests_total{{{where},status="503"}}': 1,
        f'ailb_request_latency_ms_bucket{{le="25.0",{where}}}': 1,
        f"ailb_request_latency_ms_count{{{where}}}": 3,
        f"ailb_request_latency_ms_sum{{{where}}}": 520,
        f"ailb_request_success_rate{{{where}}}": pytest.approx(2 / 3),
        f"ailb_cost_total_usd{{{where}}}": 1.5,
        'ailb_tokens_processed{kind="input",model="only-two",provider="a"}': 7,
        'ailb_upstream_attempts_total{provider="openai",status="200"}': 2,
        "ailb_budget_holds_total": 3,
        "ailb_budget_clamps_total": 3,
        'ailb_budget_warnings_total{scope="key"}': 3,
        "ailb_open_exchanges": 7,
    }
    found = samples(one)
    assert expected == {name: found[name] for name in expected}
    assert found == samples(two)


def test_who_takes_the_place_of_a_dead_process_counts_on_but_has_nothing_open() -> None:
    shared = Shared(2)
    dead, alive = Metrics(shared.tally(0)), Metrics(shared.tally(1))
    dead.request(served(), Outcome("complete", 200, 0.1))
    dead.open[0] += 5
    before = samples(alive)
    after = Metrics(shared.tally(0))
    assert {**before, "ailb_open_exchanges": 0} == samples(alive)
    after.request(served(), Outcome("complete", 200, 0.1))
    assert 2 == samples(alive)['ailb_requests_total{model="gpt-4o",provider="openai",status="200"}']
