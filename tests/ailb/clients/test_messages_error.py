"""Anthropic's error envelope."""

import pytest

from ailb.clients.messages_error import envelope
from ailb.errors import AllProvidersUnavailable, BadRequest, Refusal, UpstreamRefusal, UpstreamStalled


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (408, "invalid_request_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "api_error"),
        (504, "api_error"),
        (529, "overloaded_error"),
    ],
)
def test_the_type_goes_by_the_status(status: int, kind: str) -> None:
    refusal = UpstreamRefusal(status, "no", type="server_error", code="x", extra={"metadata": {}})
    assert {"type": "error", "error": {"type": kind, "message": "no"}} == envelope(refusal)


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (BadRequest("no", param="system"), "invalid_request_error"),
        (AllProvidersUnavailable([{"provider": "p"}]), "api_error"),
        (UpstreamStalled("slow"), "api_error"),
    ],
)
def test_the_house_s_own_errors(refusal: Refusal, kind: str) -> None:
    assert {"type": "error", "error": {"type": kind, "message": refusal.message}} == envelope(refusal)


def test_anthropic_s_own_words_are_kept() -> None:
    refusal = UpstreamRefusal(504, "slow", extra={"anthropic_type": "timeout_error", "request_id": "req_1"})
    assert {"type": "error", "error": {"type": "timeout_error", "message": "slow"}, "request_id": "req_1"} == envelope(refusal)


def test_words_that_are_none_are_not() -> None:
    refusal = UpstreamRefusal(500, "no", extra={"anthropic_type": 7, "request_id": None})
    assert {"type": "error", "error": {"type": "api_error", "message": "no"}} == envelope(refusal)
