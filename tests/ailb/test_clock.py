import time

from ailb.clock import Clock


def test_the_clock_is_the_systems() -> None:
    clock = Clock()
    before, unix = time.monotonic(), time.time()
    assert before <= clock.monotonic() <= time.monotonic()
    assert unix <= clock.unix() <= time.time()
