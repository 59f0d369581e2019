"""What went wrong at a target, and what follows from it. Pure."""

import re
from typing import Final, Literal

from ailb.errors import UpstreamFailure, UpstreamRefusal

Kind = Literal["rate_limit", "context_length", "content_policy", "request", "failure"]
"""`request`: the request itself is wrong, and would be anywhere. `failure`: anything else."""

_TOO_LONG: Final = re.compile(
    r"context[ _]?(?:length|window|size)|maximum context|prompt is too long|too many (?:input )?tokens|input (?:is|was) too long"
    r"|exceeds? the (?:maximum|model'?s?)[\w ]* (?:tokens|context)",
    re.IGNORECASE,
)
"""As the providers say it who have no code for it: Anthropic, Mistral, Gemini, vLLM, llama.cpp."""

_POLICY: Final = frozenset({"content_filter", "content_policy_violation", "content_policy", "moderation_blocked"})


def kind(failure: UpstreamFailure) -> Kind:
    if not isinstance(failure, UpstreamRefusal):
        return "failure"
    if failure.code in _POLICY or failure.type in _POLICY:
        return "content_policy"
    if failure.status in (400, 413, 422) and (failure.code == "context_length_exceeded" or _TOO_LONG.search(failure.message)):
        return "context_length"
    if failure.status == 429:
        return "rate_limit"
    return "failure" if failure.retry_elsewhere else "request"


def ill(failure: UpstreamFailure) -> bool:
    """Whether it tells of a target that is not well. To refuse the request, or one too many, is healthy; to refuse our key is not."""
    return not isinstance(failure, UpstreamRefusal) or failure.status >= 500 or failure.status in (401, 402)


def passes(failure: UpstreamFailure) -> bool:
    """Whether the same target may well answer the same request a moment later."""
    return not isinstance(failure, UpstreamRefusal) or failure.status >= 500 or failure.status in (408, 425, 429)
