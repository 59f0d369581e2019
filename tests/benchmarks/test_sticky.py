from benchmarks import sticky
from benchmarks.sticky import KEEPS_SECONDS, LEAST, STEP, Cache, run


def test_a_cache_has_what_it_saw_in_steps_and_not_for_ever() -> None:
    cache = Cache()
    long = LEAST + STEP + 1
    assert [0, LEAST + STEP, 0] == [cache.reads(1, long, 0.0), cache.reads(1, long, 1.0), cache.reads(1, long, KEEPS_SECONDS + 2)]
    assert [0, 0] == [cache.reads(2, LEAST - 1, 0.0), cache.reads(2, LEAST - 1, 1.0)]


def test_with_one_target_there_is_nothing_to_gain() -> None:
    assert run(1, sticky=False) == run(1, sticky=True)


def test_with_several_the_sticky_ones_read_more_and_pay_less() -> None:
    loose, stuck = run(4, sticky=False), run(4, sticky=True)
    assert loose.given == stuck.given
    assert loose.cached < stuck.cached
    assert loose.nanos > stuck.nanos


def test_the_page_has_the_section_that_is_written() -> None:
    page = sticky.PAGE.read_text(encoding="utf-8")
    assert sticky.START in page
    assert sticky.END in page
