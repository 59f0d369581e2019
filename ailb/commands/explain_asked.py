"""Asks a gateway to explain a request."""

from typing import Any, Final

from ailb.commands.caller import Caller
from ailb.errors import Unavailable
from ailb.strict import loosely

PATH: Final = "/api/routing/explain"


def asked(url: str, body: bytes, *, key: str = "", user: str = "") -> bytes:
    """The record, as JSON. Raises Unavailable with what the gateway says is wrong, or that it says nothing."""
    gateway = Caller(url, key=key, user=user)
    status, said = gateway.call("POST", PATH, body, {"content-type": "application/json"})
    record = loosely(said)
    if status != 200 or not isinstance(record, dict) or "would" not in record:
        raise Unavailable(f"{gateway.where} answers {status}{_detail(record)}")
    return said


def _detail(said: Any) -> str:
    return f": {said['detail']}" if isinstance(said, dict) and isinstance(said.get("detail"), str) else ", which is no gateway's answer"
