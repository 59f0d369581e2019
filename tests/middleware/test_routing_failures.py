from typing import Any

import pytest

from ailb.errors import UpstreamBroken, UpstreamFailure, UpstreamRefusal, UpstreamSilent, UpstreamStalled
from middleware.routing_failures import Kind, ill, kind, passes


def refusal(status: int, message: str = "no", **more: Any) -> UpstreamRefusal:
    return UpstreamRefusal(status, message, **more)


@pytest.mark.parametrize(
    ("failure", "of"),
    [
        (UpstreamSilent("refused"), "failure"),
        (UpstreamStalled("silent"), "failure"),
        (UpstreamBroken("html"), "failure"),
        (refusal(500), "failure"),
        (refusal(529), "failure"),
        (refusal(401), "failure"),
        (refusal(429), "rate_limit"),
        (refusal(400), "request"),
        (refusal(404), "request"),
        (refusal(422), "request"),
        (refusal(400, code="context_length_exceeded"), "context_length"),
        (refusal(400, "This model's maximum context length is 8192 tokens."), "context_length"),
        (refusal(400, "prompt is too long: 210000 tokens > 200000 maximum"), "context_length"),
        (refusal(400, "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576)."), "context_length"),
        (refusal(413, "input is too long for the requested model"), "context_length"),
        (refusal(500, "context length"), "failure"),
        (refusal(400, "your context is nice"), "request"),
        (refusal(400, code="content_filter"), "content_policy"),
        (refusal(403, code="content_policy_violation"), "content_policy"),
        (refusal(400, type="content_filter"), "content_policy"),
    ],
)
def test_what_kind_of_failure_it_is(failure: UpstreamFailure, of: Kind) -> None:
    assert of == kind(failure)


@pytest.mark.parametrize(
    ("failure", "is_ill", "again"),
    [
        (UpstreamSilent("refused"), True, True),
        (UpstreamBroken("html"), True, True),
        (refusal(500), True, True),
        (refusal(503), True, True),
        (refusal(401), True, False),
        (refusal(402), True, False),
        (refusal(403), False, False),
        (refusal(408), False, True),
        (refusal(429), False, True),
        (refusal(400), False, False),
    ],
)
def test_whether_the_target_is_ill_and_may_be_asked_again(failure: UpstreamFailure, is_ill: bool, again: bool) -> None:
    assert (is_ill, again) == (ill(failure), passes(failure))
