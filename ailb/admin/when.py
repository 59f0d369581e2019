"""Points in time and ranges of them, as `/api` writes and reads them: RFC 3339 in UTC outside, microseconds since 1970 inside."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from ailb.errors import BadRequest
from ailb.store.windows import DAY, Windows, day
from ailb.store.windows import PERIODS as WINDOWS

PERIODS: Final = ("daily", "weekly", "monthly", "custom")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def text(micros: int) -> str:
    """RFC 3339, such as 2026-01-15T10:30:00Z; with the fraction of a second where there is one."""
    return (_EPOCH + micros * _MICRO).isoformat().replace("+00:00", "Z")


def moment(value: str, name: str, *, end: bool = False) -> int:
    """Microseconds of an RFC 3339 time or a date. The `end` of a range that is a date includes its whole day.

    Raises BadRequest with `name`.
    """
    try:
        if _DATE.fullmatch(value):
            day = datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC)
            return _micros(day + timedelta(days=end))
        if _MOMENT.fullmatch(value):
            return _micros(datetime.fromisoformat(value.upper()).astimezone(UTC))
    except (ValueError, OverflowError):
        pass  # a 30th of February, or a day that is not in the calendar
    raise BadRequest(f"{name} must be a date such as 2026-01-31 or a time such as 2026-01-31T10:30:00Z", param=name)


def span(period: str, start: str, end: str, now: int, windows: Windows) -> tuple[str, int, int]:
    """The period's name, its start, and its end, which is not in it. `start` or `end` make it custom; empty texts are not given.

    The running day, week or month is meant, to its end. Raises BadRequest.
    """
    if period not in ("", *PERIODS):
        raise BadRequest(f"period must be one of {', '.join(PERIODS)}", param="period")
    if not start and not end:
        return _running(period or "monthly", now, windows)
    first = moment(start, "start_date") if start else 0
    last = moment(end, "end_date", end=True) if end else day(now) + DAY
    if first >= last:
        raise BadRequest("start_date is after end_date", param="start_date")
    return "custom", first, last


def _running(period: str, now: int, windows: Windows) -> tuple[str, int, int]:
    for known in WINDOWS:
        if period == known:
            first = windows.start(known, now)
            return known, first, windows.end(known, first) or day(now) + DAY
    raise BadRequest("a custom period needs start_date or end_date", param="start_date")


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICRO
