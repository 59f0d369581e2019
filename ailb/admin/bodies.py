"""What comes in with a call of /api: bodies and query parameters, checked before anybody acts on them."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from ailb.config_errors import hint, message
from ailb.deadline import Deadline
from ailb.errors import BadRequest
from ailb.intake import ClientLeft, read_body
from ailb.strict import parse

MOST_BYTES = 256 * 1024
BODY_SECONDS = 30.0


class Body(BaseModel):
    """A JSON object; a member that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


B = TypeVar("B", bound=Body)


async def body_of(request: Request, shape: type[B], *, empty: bool = False, most: int = MOST_BYTES) -> B:
    """The request's body as `shape`. Raises BadRequest naming the member, and what `raw_of` raises. `empty`: no body is `{}`."""
    raw = await raw_of(request, most)
    return checked({} if empty and not raw else parse(raw), shape)


async def raw_of(request: Request, most: int, *, setting: str = "") -> bytes:
    """The request's body. Raises BadRequest for one that is not complete, and what `read_body` raises."""
    try:
        headers = request.scope["ailb.headers"]
        return await read_body(request.receive, headers, most=most, limit=Deadline(BODY_SECONDS), setting=setting)
    except ClientLeft:
        raise BadRequest("the body is not complete") from None


def checked(data: dict[str, Any], shape: type[B]) -> B:
    """Raises BadRequest naming the member."""
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        raise _refused(error, shape) from None


def _refused(error: ValidationError, shape: type[BaseModel]) -> BadRequest:
    """pydantic's first complaint, an unknown member before all else."""
    problems = error.errors(include_url=False, include_input=False)
    worst = min(problems, key=lambda each: each["type"] != "extra_forbidden")
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in worst["loc"]).lstrip(".")[:80]
    if worst["type"] == "extra_forbidden":
        return BadRequest(f"{name}: no such field{hint(name, shape.model_fields)}", param=name)
    return BadRequest(f"{name}: {message(worst)}" if name else message(worst), param=name or None)


def number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A query parameter that is an integer from `least` to `most`. Raises BadRequest naming it."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 18 and least <= int(text) <= most):
        raise BadRequest(f"{name}: must be an integer from {least} to {most}", param=name)
    return int(text)
