from ailb.latency import DECAY_SECONDS, Latency


def test_nobody_knows_before_there_was_an_answer() -> None:
    assert Latency().seconds is None


def test_a_slower_answer_counts_at_once() -> None:
    latency = Latency()
    for seconds in (1.0, 3.0):
        latency.observe(seconds, 0.0)
    assert 3.0 == latency.seconds


def test_faster_ones_win_it_back_with_time() -> None:
    latency = Latency(3.0, 0.0)
    latency.observe(1.0, DECAY_SECONDS)
    assert latency.seconds is not None
    assert 1.0 < latency.seconds < 3.0
    latency.observe(1.0, 100 * DECAY_SECONDS)
    assert abs(latency.seconds - 1.0) < 1e-6
