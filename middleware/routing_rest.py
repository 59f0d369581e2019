"""How long a provider wants to be left alone, out of its headers. Pure; whatever is not understood is ignored.

Sources: RFC 9110, 10.2.3 (`retry-after`); https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers;
https://docs.claude.com/en/api/rate-limits#response-headers; draft-ietf-httpapi-ratelimit-headers.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Final

MOST_SECONDS: Final = 60.0
"""Nobody is believed who wants more than this."""

_EPOCH: Final = 1_000_000_000
"""A reset as large as this is a point in time and not a number of seconds."""

_SPAN = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,7}(?:\.\d{1,12})?)s)?(?:(\d{1,10}(?:\.\d{1,12})?)ms)?")
"""Go's durations, as OpenAI has them: `6m0s`, `1.5s`, `120ms`."""

_COUNTS: Final = tuple(
    (f"{start}{remaining}{what}", f"{start}{reset}{what}")
    for start, remaining, reset, whats in (
        ("x-ratelimit-", "remaining", "reset", ("-requests", "-tokens", "")),
        ("ratelimit-", "remaining", "reset", ("",)),
    )
    for what in whats
) + tuple(
    (f"anthropic-ratelimit-{what}-remaining", f"anthropic-ratelimit-{what}-reset")
    for what in ("requests", "tokens", "input-tokens", "output-tokens")
)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds, at most `MOST_SECONDS`; None where nothing was said that makes sense. `now` is Unix time."""
    millis = _number(headers.get("retry-after-ms"))
    if millis is not None:
        return _bounded(millis / 1000)
    said = headers.get("retry-after")
    seconds = _number(said)
    if seconds is None and said:
        seconds = _until(said, now)
    return None if seconds is None else _bounded(seconds)


def used_up(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until something that is used up comes back; None where nothing is, or nobody said when. `headers` may be any at all."""
    waits = [
        wait for remaining, reset in _COUNTS if headers.get(remaining) == "0" and (wait := _reset(headers.get(reset), now)) is not None
    ]
    return _bounded(max(waits)) if waits else None


def _reset(said: str | None, now: float) -> float | None:
    if not said:
        return None
    number = _number(said)
    if number is not None:
        return number - now if number >= _EPOCH else number
    span = _SPAN.fullmatch(said.strip())
    if span and any(span.groups()):
        hours, minutes, seconds, millis = (float(part or 0) for part in span.groups())
        return hours * 3600 + minutes * 60 + seconds + millis / 1000
    return _until(said, now)


def _number(said: str | None) -> float | None:
    try:
        number = float(said or "")
    except ValueError:
        return None
    return number if isfinite(number) and number >= 0 else None


def _until(said: str, now: float) -> float | None:
    """From an HTTP date or an RFC 3339 time."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            at = read(said.strip())
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now
        except (ValueError, OverflowError):
            continue
    return None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), MOST_SECONDS)
