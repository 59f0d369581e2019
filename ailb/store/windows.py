"""The stretches of time that budgets are for, in UTC, each beginning with a day."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args

Period = Literal["daily", "weekly", "monthly", "total"]
PERIODS: Final[tuple[Period, ...]] = get_args(Period)
DAY: Final = 86_400_000_000
"""A day in microseconds; UTC has no other, for computers."""

_FIRST_MONDAY: Final = 4 * DAY
"""1970-01-05."""


def day(at: int) -> int:
    """The first microsecond of the day of `at`."""
    return at - at % DAY


@dataclass(frozen=True, slots=True)
class Windows:
    """Where weeks and months begin. `week_starts` is 0 for Monday to 6 for Sunday, `month_starts` a day from 1 to 28."""

    week_starts: int = 0
    month_starts: int = 1

    def start(self, period: Period, at: int) -> int:
        """The first microsecond of the window in which `at` is; 0 for `total`."""
        if period == "total":
            return 0
        if period == "daily":
            return day(at)
        if period == "weekly":
            return at - (at - _FIRST_MONDAY - self.week_starts * DAY) % (7 * DAY)
        date = _date(at)
        start = date.replace(day=self.month_starts)
        return _micros(start if date.day >= self.month_starts else _months(start, -1))

    def end(self, period: Period, start: int) -> int | None:
        """The first microsecond after the window that begins at `start`; None for `total`."""
        if period == "total":
            return None
        if period == "monthly":
            return _micros(_months(_date(start), 1))
        return start + (DAY if period == "daily" else 7 * DAY)


def _date(at: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=day(at))


def _micros(date: datetime) -> int:
    return (date - datetime(1970, 1, 1, tzinfo=UTC)).days * DAY


def _months(date: datetime, count: int) -> datetime:
    years, month = divmod(date.month - 1 + count, 12)
    return date.replace(year=date.year + years, month=month + 1)
