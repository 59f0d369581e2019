from inspect import isclass
from typing import Any

import pytest

from ailb import errors
from ailb.errors import (
    AllProvidersUnavailable,
    BadRequest,
    BodyTooLarge,
    BudgetExceeded,
    ConfigError,
    Conflict,
    Forbidden,
    HeadersTooLarge,
    HttpVersion,
    InternalError,
    InvalidKey,
    LoopDetected,
    MethodNotAllowed,
    Misdirected,
    ModelNotFound,
    NotFound,
    RateLimited,
    Refusal,
    RequestTimeout,
    Unavailable,
    Unpriced,
    UnsupportedMedia,
    UpstreamBroken,
    UpstreamFailure,
    UpstreamRefusal,
    UpstreamSilent,
    UpstreamStalled,
    forget_way,
)

TREE: list[tuple[type[Refusal], int, str, str | None]] = [
    (BadRequest, 400, "invalid_request_error", None),
    (InvalidKey, 401, "authentication_error", "invalid_api_key"),
    (Forbidden, 403, "permission_error", None),
    (Unpriced, 403, "permission_error", "price_unknown"),
    (NotFound, 404, "not_found_error", None),
    (ModelNotFound, 404, "not_found_error", "model_not_found"),
    (MethodNotAllowed, 405, "invalid_request_error", None),
    (RequestTimeout, 408, "invalid_request_error", None),
    (Conflict, 409, "invalid_request_error", "conflict"),
    (BodyTooLarge, 413, "invalid_request_error", "request_too_large"),
    (UnsupportedMedia, 415, "invalid_request_error", None),
    (Misdirected, 421, "invalid_request_error", None),
    (RateLimited, 429, "rate_limit_error", "rate_limit_exceeded"),
    (HeadersTooLarge, 431, "invalid_request_error", None),
    (InternalError, 500, "server_error", "internal_error"),
    (UpstreamBroken, 502, "server_error", "upstream_broken"),
    (Unavailable, 503, "server_error", "unavailable"),
    (UpstreamSilent, 503, "server_error", "upstream_unreachable"),
    (UpstreamStalled, 504, "server_error", "upstream_timeout"),
    (HttpVersion, 505, "invalid_request_error", None),
    (LoopDetected, 508, "invalid_request_error", None),
]
ELSEWHERE = {Refusal, UpstreamFailure, UpstreamRefusal, AllProvidersUnavailable, BudgetExceeded}


@pytest.mark.parametrize(("kind", "status", "type", "code"), TREE)
def test_every_refusal_says_its_status_type_and_code(kind: type[Refusal], status: int, type: str, code: str | None) -> None:
    refusal = kind("why")
    error = {"message": "why", "type": type, "param": kind.param, "code": code}
    assert {"detail": "why", "type": type, "status_code": status, "error": error} == refusal.body()


def test_the_table_has_every_refusal() -> None:
    there = {kind for kind in vars(errors).values() if isclass(kind) and issubclass(kind, Refusal)}
    assert there - ELSEWHERE == {row[0] for row in TREE}


def test_a_budget_that_is_exceeded_says_so_in_one_way_and_asks_not_to_be_tried_again() -> None:
    refusal = BudgetExceeded()
    said = (refusal.status, refusal.type, refusal.code, refusal.headers)
    assert (402, "insufficient_quota", "budget_exceeded", {"x-should-retry": "false"}) == said
    assert "Budget exceeded. Request would exceed spending limit." == refusal.body()["detail"]


def test_param_code_and_headers_of_one_refusal_are_not_those_of_the_next() -> None:
    special = BadRequest("n is odd", param="n", code="odd", headers={"x": "y"})
    assert ("n", "odd", {"x": "y"}) == (special.param, special.code, special.headers)
    plain = BadRequest("no")
    assert (None, None, {}) == (plain.param, plain.code, plain.headers)


@pytest.mark.parametrize(
    ("status", "code", "elsewhere"),
    [
        *((status, None, False) for status in (400, 404, 405, 409, 413, 415, 422)),
        *((status, None, True) for status in (401, 402, 403, 408, 429, 500, 502, 503, 504, 529)),
        (400, "content_filter", False),
        (403, "content_policy_violation", False),
        (500, ["odd"], True),
    ],
)
def test_which_upstream_refusals_another_target_might_not_repeat(status: int, code: Any, elsewhere: bool) -> None:
    assert elsewhere == UpstreamRefusal(status, "no", code=code).retry_elsewhere


@pytest.mark.parametrize(
    ("status", "type"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (418, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "server_error"),
        (529, "server_error"),
    ],
)
def test_a_type_for_an_upstream_that_named_none(status: int, type: str) -> None:
    assert type == UpstreamRefusal(status, "no").type
    assert UpstreamRefusal(status, "no", type="own").type == "own"


def test_an_upstreams_further_members_stay_and_cannot_hide_the_standard_ones() -> None:
    refusal = UpstreamRefusal(400, "no", code=7, param="p", extra={"failed_generation": "x", "message": "other"})
    expected = {"failed_generation": "x", "message": "no", "type": "invalid_request_error", "param": "p", "code": 7}
    assert expected == refusal.error()


def test_when_nobody_answers_every_attempt_is_told() -> None:
    attempts = [{"provider": "a", "model": "m", "error": "refused"}]
    refusal = AllProvidersUnavailable(attempts, headers={"retry-after": "3"})
    assert refusal.status == 503
    assert attempts == refusal.body()["error"]["attempts"]
    assert refusal.body()["detail"] == "All providers unavailable"


@pytest.mark.parametrize(("where", "text"), [("[server].port", "[server].port: odd"), ("", "odd")])
def test_a_config_error_says_where(where: str, text: str) -> None:
    error = ConfigError(where, "odd")
    assert (text, where, "odd") == (str(error), error.where, error.problem)


def test_of_an_error_that_is_over_nothing_is_kept_but_what_it_says() -> None:
    def cut() -> None:
        try:
            raise ConnectionResetError("gone")
        except ConnectionResetError as lost:
            raise UpstreamBroken("cut") from lost

    with pytest.raises(UpstreamBroken) as caught:
        cut()
    error, cause = caught.value, caught.value.__cause__
    assert cause is not None
    forget_way(error)
    assert [None] * 4 == [error.__traceback__, error.__cause__, error.__context__, cause.__traceback__]
    assert "cut" == error.message
    forget_way(None)
