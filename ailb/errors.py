"""Everything that can go wrong with a request, as one tree; the HTTP status is in the exception.

A `Refusal` is an answer: it says what the client is told. Anything else that is raised while a request
is served is a bug, and the client is told no more than "internal error" and the request id.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from ailb.secret import Secret, scrub, scrubbed

UNAUTHENTICATED = (401, 403)
MOST_MESSAGE = 16_384
"""Characters of an upstream's message that are passed on."""

FINAL = (400, 404, 405, 409, 413, 415, 422)
"""Upstream statuses that are about the request itself: another target would say the same."""


def forget_way(error: BaseException | None) -> None:
    """Of an error that is over and told. It has the frames that it came through, and those have the error: a cycle, in which all that the
    request had would wait for Python's collector.
    """
    while error is not None:
        error.__traceback__ = None
        before = error.__cause__ or error.__context__
        error.__cause__ = error.__context__ = None
        error = before


class ConfigError(Exception):
    """The configuration cannot be served. `where` is the table and key, e.g. `[[provider]] "openai".api_key`."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}" if where else problem)
        self.where = where
        self.problem = problem


class Refusal(Exception):
    """An error that the client is told. `type` and `code` speak OpenAI's vocabulary, so that SDKs raise their typed exception."""

    status: int = 500
    type: str = "server_error"
    code: str | None = None
    param: str | None = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.headers: dict[str, str] = dict(headers or {})
        if param is not None:
            self.param = param
        if code is not None:
            self.code = code

    def error(self) -> dict[str, Any]:
        """The inner object that OpenAI's SDKs read: `{message, type, param, code}`."""
        return {"message": self.message, "type": self.type, "param": self.param, "code": self.code}

    def body(self) -> dict[str, Any]:
        """The one error shape: `detail` for people with curl, `error` for SDKs."""
        return {"detail": self.message, "type": self.type, "status_code": self.status, "error": self.error()}


class BadRequest(Refusal):
    status = 400
    type = "invalid_request_error"


class InvalidKey(Refusal):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class BudgetExceeded(Refusal):
    """Not even the prompt fits into what a budget has left. Another target may be cheaper, or in another budget."""

    status = 402
    type = "insufficient_quota"
    code = "budget_exceeded"

    def __init__(self) -> None:
        super().__init__("Budget exceeded. Request would exceed spending limit.", headers={"x-should-retry": "false"})


class Forbidden(Refusal):
    status = 403
    type = "permission_error"


class Unpriced(Forbidden):
    """A budget applies, and nobody knows what the target costs."""

    code = "price_unknown"


class NotFound(Refusal):
    status = 404
    type = "not_found_error"


class ModelNotFound(NotFound):
    code = "model_not_found"
    param = "model"


class MethodNotAllowed(Refusal):
    status = 405
    type = "invalid_request_error"


class RequestTimeout(Refusal):
    """The client took too long to send its request."""

    status = 408
    type = "invalid_request_error"


class Conflict(Refusal):
    """It is in the way of something that is there or under way (RFC 9110, 15.5.10)."""

    status = 409
    type = "invalid_request_error"
    code = "conflict"


class BodyTooLarge(Refusal):
    status = 413
    type = "invalid_request_error"
    code = "request_too_large"


class UnsupportedMedia(Refusal):
    status = 415
    type = "invalid_request_error"


class Misdirected(Refusal):
    """The `Host` header names a server that this one is not (RFC 9110, 15.5.20)."""

    status = 421
    type = "invalid_request_error"


class HeadersTooLarge(Refusal):
    status = 431
    type = "invalid_request_error"


class RateLimited(Refusal):
    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class InternalError(Refusal):
    code = "internal_error"


class Unavailable(Refusal):
    """This gateway cannot take the request now: it is draining, full, or something that it needs is down."""

    status = 503
    code = "unavailable"


class HttpVersion(Refusal):
    status = 505
    type = "invalid_request_error"


class LoopDetected(Refusal):
    """The request has been through this very gateway before (RFC 5842, 7.2)."""

    status = 508
    type = "invalid_request_error"


class UpstreamFailure(Refusal):
    """What one attempt at one target came to, when it did not come to an answer."""

    retry_elsewhere: bool = True
    """Whether another target might do better."""

    sent: bool = True
    """Whether the upstream may have got the request, and so may have done work for it."""


class UpstreamRefusal(UpstreamFailure):
    """The upstream answered with an error: its status, message, type, param and code are the client's to see, verbatim.

    `headers` holds only what may be passed on: `retry-after`, `retry-after-ms` and rate limits.
    `extra` holds further members of the upstream's error object (`failed_generation`, `metadata`, ...).
    The transport calls `hide()` with the provider's secrets before anybody else sees it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str | None = None,
        param: str | None = None,
        code: Any = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, headers=headers)
        self.status = status
        self.type = type or _type_of(status)
        self.param = param
        self.code = code
        self.extra = dict(extra or {})
        content = code in ("content_filter", "content_policy_violation")
        self.retry_elsewhere = not content and status not in FINAL

    def hide(self, *secrets: Secret | None) -> Self:
        """Takes secrets out of everything that the upstream said."""
        self.message = scrub(self.message, *secrets)
        self.args = (self.message,)  # what a traceback shows
        self.code, self.param, self.type = (scrubbed(value, *secrets) for value in (self.code, self.param, self.type))
        self.headers, self.extra = scrubbed(self.headers, *secrets), scrubbed(self.extra, *secrets)
        return self

    def error(self) -> dict[str, Any]:
        return {**self.extra, **super().error()}


class UpstreamBroken(UpstreamFailure):
    """The upstream answered, but not with what its dialect promises: HTML, nothing, garbage, a cut stream."""

    status = 502
    code = "upstream_broken"


class UpstreamSilent(UpstreamFailure):
    """Nobody answered: refused, unreachable, timed out, or not asked because the circuit is open."""

    status = 503
    code = "upstream_unreachable"


class UpstreamStalled(UpstreamFailure):
    """The upstream began to answer and then fell silent for longer than its idle or total timeout."""

    status = 504
    code = "upstream_timeout"


class AllProvidersUnavailable(Refusal):
    """Every target was tried or is open-circuit and none answered. `attempts`: one `{provider, model, error}` each."""

    status = 503
    code = "all_providers_unavailable"
    prefix: ClassVar[str] = "All providers unavailable"

    def __init__(self, attempts: Sequence[Mapping[str, Any]], *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(self.prefix, headers=headers)
        self.attempts = list(attempts)

    def error(self) -> dict[str, Any]:
        return {**super().error(), "attempts": self.attempts}


def _type_of(status: int) -> str:
    """OpenAI's word for a status whose body did not say."""
    known = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
    return known.get(status, "invalid_request_error" if status < 500 else "server_error")
