"""`/openapi.json`: what the gateway serves, as OpenAPI 3.1, made from one table."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ailb import __version__
from ailb.admin.openapi_operations import JSON, OPERATIONS, PARAMETERS, Operation
from ailb.admin.openapi_schemas import SCHEMAS, ref

DESCRIPTION: Final = (
    "One OpenAI-compatible address in front of every LLM provider. "
    "Money is a number of dollars, exact to the nano-dollar; times are RFC 3339 in UTC."
)
_KEYS: Final = {"virtual_key": "A virtual key, sk-ailb_...", "admin_key": "The configuration's auth.admin_key"}
_ERRORS: Final = {"4XX": "What is wrong, and where", "5XX": "What the gateway or the last target cannot do"}


async def page(request: Request) -> Response:
    """What is mounted here: without a store there is no /api. For everybody, since it says nothing about users."""
    mounted = {plain(route.path) for route in request.app.routes}
    served = [operation for operation in OPERATIONS if operation.path in mounted]
    return Response(orjson.dumps(document(served)), media_type=JSON)


def plain(path: str) -> str:
    """A route's path without Starlette's convertors."""
    return path.replace(":path}", "}")


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    security = {name: {"type": "http", "scheme": "bearer", "description": about} for name, about in _KEYS.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "AILB", "version": __version__, "description": DESCRIPTION},
        "paths": paths,
        "components": {"schemas": SCHEMAS, "securitySchemes": security},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {"summary": operation.summary, "tags": [operation.path.split("/")[1]], "responses": _responses(operation)}
    if not operation.open:
        made["security"] = [{}, *({name: []} for name in _KEYS)]
    if operation.parameters:
        made["parameters"] = [_parameter(name, operation.path) for name in operation.parameters]
    if operation.body is not None:
        content: dict[str, Any] = {JSON: {"schema": ref(operation.body)}}
        if operation.form:
            content["multipart/form-data"] = {"schema": ref("Files")}
        made["requestBody"] = {"required": True, "content": content}
    return made


def _parameter(name: str, path: str) -> Mapping[str, Any]:
    place = "path" if f"{{{name}}}" in path else "header" if name.lower().startswith(("x-", "idempotency")) else "query"
    return {"name": name, "in": place, "required": place == "path", "schema": PARAMETERS[name]}


def _responses(operation: Operation) -> dict[str, Any]:
    done = {str(status): _response("Done", operation.answers) for status in operation.statuses}
    wrong = {status: _response(about, {JSON: operation.error}) for status, about in _ERRORS.items()}
    return done | wrong


def _response(about: str, answers: Mapping[str, str]) -> dict[str, Any]:
    content = {media: {"schema": ref(name)} for media, name in answers.items()}
    return {"description": about, "content": content} if content else {"description": about}
