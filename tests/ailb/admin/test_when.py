from datetime import UTC, datetime

import pytest

from ailb.admin.when import moment, span, text
from ailb.errors import BadRequest
from ailb.store.windows import Windows


def at(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[misc, arg-type]


NOW = at(2026, 1, 15, 10, 30)  # a Thursday


@pytest.mark.parametrize(("micros", "said"), [(NOW, "2026-01-15T10:30:00Z"), (NOW + 5, "2026-01-15T10:30:00.000005Z")])
def test_a_time_is_rfc_3339_in_utc_and_is_read_again(micros: int, said: str) -> None:
    assert said == text(micros)
    assert micros == moment(said, "start_date")


def test_an_offset_is_honoured() -> None:
    assert NOW == moment("2026-01-15T12:30:00+02:00", "start_date")


def test_a_date_that_ends_a_range_includes_its_day() -> None:
    assert (at(2026, 1, 15), at(2026, 1, 16)) == (moment("2026-01-15", "x"), moment("2026-01-15", "x", end=True))


@pytest.mark.parametrize(
    "value",
    ["x", "2026", "2026-02-30", "2026-1-5", "20260115", "2026-01-15T10:30:00", "2026-01-15T25:00:00Z", "٢٠٢٦-01-15", "2026-W01-1", "-1"],
)
def test_what_is_no_time_is_refused_by_the_name_of_its_field(value: str) -> None:
    with pytest.raises(BadRequest) as caught:
        moment(value, "end_date")
    assert "end_date" == caught.value.param
    assert "end_date" in caught.value.message


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_do_no_harm(value: str) -> None:
    try:
        assert text(moment(value, "end_date", end=True))
    except BadRequest as refusal:
        assert "end_date" == refusal.param


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("daily", at(2026, 1, 15), at(2026, 1, 16)),
        ("weekly", at(2026, 1, 12), at(2026, 1, 19)),
        ("monthly", at(2026, 1, 1), at(2026, 2, 1)),
    ],
)
def test_the_running_period_to_its_end(period: str, start: int, end: int) -> None:
    assert (period, start, end) == span(period, "", "", NOW, Windows())


def test_monthly_unless_told_otherwise_and_december_ends_in_january() -> None:
    assert ("monthly", at(2026, 12, 1), at(2027, 1, 1)) == span("", "", "", at(2026, 12, 31), Windows())


def test_dates_make_it_custom() -> None:
    assert ("custom", at(2024, 1, 1), at(2024, 2, 1)) == span("monthly", "2024-01-01", "2024-01-31", NOW, Windows())
    assert ("custom", at(2024, 1, 1), at(2026, 1, 16)) == span("", "2024-01-01", "", NOW, Windows())
    assert ("custom", 0, at(2024, 2, 1)) == span("", "", "2024-01-31", NOW, Windows())


@pytest.mark.parametrize(
    ("period", "start", "end", "field"),
    [("yearly", "", "", "period"), ("custom", "", "", "start_date"), ("", "2024-02-01", "2024-01-01", "start_date")],
)
def test_a_range_that_is_none_names_its_field(period: str, start: str, end: str, field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        span(period, start, end, NOW, Windows())
    assert field == caught.value.param


def test_weeks_and_months_begin_where_those_of_budgets_do() -> None:
    windows = Windows(week_starts=6, month_starts=10)
    assert ("weekly", at(2026, 1, 11), at(2026, 1, 18)) == span("weekly", "", "", NOW, windows)
    assert ("monthly", at(2026, 1, 10), at(2026, 2, 10)) == span("monthly", "", "", NOW, windows)
