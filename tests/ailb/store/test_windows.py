from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.store.windows import DAY, PERIODS, Period, Windows, day


def micros(said: str) -> int:
    return int(datetime.fromisoformat(said).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("period", "at", "start", "end"),
    [
        ("daily", "2026-03-29 02:30:00", "2026-03-29", "2026-03-30"),  # where clocks change in Europe: not here
        ("daily", "2026-03-29 23:59:59", "2026-03-29", "2026-03-30"),
        ("daily", "2026-03-30 00:00:00", "2026-03-30", "2026-03-31"),
        ("weekly", "2026-09-14 00:00:00", "2026-09-14", "2026-09-21"),
        ("weekly", "2026-09-20 23:59:59", "2026-09-14", "2026-09-21"),
        ("monthly", "2024-02-29 12:00:00", "2024-02-01", "2024-03-01"),
        ("monthly", "2026-12-31 23:59:59", "2026-12-01", "2027-01-01"),
        ("monthly", "2026-01-01 00:00:00", "2026-01-01", "2026-02-01"),
    ],
)
def test_a_window_is_of_days_in_utc(period: Period, at: str, start: str, end: str) -> None:
    windows = Windows()
    assert windows.start(period, micros(at)) == micros(start)
    assert windows.end(period, micros(start)) == micros(end)


def test_weeks_and_months_begin_where_one_says() -> None:
    windows = Windows(week_starts=6, month_starts=28)
    assert windows.start("weekly", micros("2026-09-14 10:00")) == micros("2026-09-13")
    assert windows.start("monthly", micros("2024-03-01 10:00")) == micros("2024-02-28")
    assert windows.start("monthly", micros("2026-01-27 10:00")) == micros("2025-12-28")
    assert windows.end("monthly", micros("2025-12-28")) == micros("2026-01-28")


def test_the_total_has_one_window_without_an_end() -> None:
    assert (0, None) == (Windows().start("total", micros("2026-01-01")), Windows().end("total", 0))


@given(st.sampled_from(PERIODS), st.integers(0, micros("2200-01-01")), st.integers(0, 6), st.integers(1, 28))
def test_every_instant_is_in_exactly_one_window(period: Period, at: int, week_starts: int, month_starts: int) -> None:
    windows = Windows(week_starts, month_starts)
    start = windows.start(period, at)
    end = windows.end(period, start)
    assert start % DAY == 0
    assert start <= at or period == "weekly"  # the week in which 1970 began
    if end is None:
        return
    assert at < end
    assert windows.start(period, end) == end
    assert windows.start(period, end - 1) == start
    assert windows.start(period, day(at)) == start
