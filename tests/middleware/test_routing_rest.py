import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.routing_rest import MOST_SECONDS, retry_after, used_up

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "1000000000"}, MOST_SECONDS),
        ({"retry-after": "1e400"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:00 GMT"}, 0.0),
        ({"retry-after": "Tue, 14 Nov 2099 22:13:00 GMT"}, MOST_SECONDS),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "nonsense", "retry-after": "9"}, 9.0),
    ],
)
def test_what_a_target_asks_for_is_honoured_and_capped(headers: dict[str, str], seconds: float | None) -> None:
    assert seconds == retry_after(headers, NOW)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "5s"}, None),
        ({"x-ratelimit-remaining-requests": "0"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "whenever"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "5s"}, 5.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms"}, 0.12),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "0m2.5s"}, 2.5),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, MOST_SECONDS),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7s"}, 7.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"}, 12.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 8)}, 8.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "3"}, 3.0),
        ({"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:29Z"}, 9.0),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:29Z",
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2023-11-14T22:13:31Z",
            },
            11.0,
        ),
    ],
)
def test_what_is_used_up_comes_back(headers: dict[str, str], seconds: float | None) -> None:
    assert seconds == used_up(headers, NOW)


@given(st.text(max_size=40) | st.from_regex(r"[0-9hms.]{0,40}", fullmatch=True))
def test_whatever_is_said_it_is_a_wait_or_nothing(said: str) -> None:
    waits = [
        retry_after({"retry-after": said, "retry-after-ms": said}, NOW),
        retry_after({"retry-after": said}, NOW),
        used_up({"x-ratelimit-remaining": "0", "x-ratelimit-reset": said}, NOW),
    ]
    assert all(wait is None or 0 <= wait <= MOST_SECONDS for wait in waits)
