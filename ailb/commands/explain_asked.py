"""Asks a gateway to explain a request."""

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

from ailb.errors import Unavailable
from ailb.strict import loosely

PATH: Final = "/api/routing/explain"
SECONDS: Final = 10.0


def asked(url: str, body: bytes, *, key: str = "", user: str = "") -> bytes:
    """The record, as JSON. Raises Unavailable with what the gateway says is wrong, or that it says nothing."""
    parts = urlsplit(url if "//" in url else f"http://{url}")
    headers = {"content-type": "application/json"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    if user:
        headers["x-user-id"] = user
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=SECONDS)
    try:
        connection.request("POST", parts.path.rstrip("/") + PATH, body=body, headers=headers)
        answer = connection.getresponse()
        said = answer.read()
    except (OSError, HTTPException) as problem:
        raise Unavailable(f"{parts.geturl()} does not answer: {problem}") from None
    finally:
        connection.close()
    record = loosely(said)
    if answer.status != 200 or not isinstance(record, dict) or "would" not in record:
        raise Unavailable(f"{parts.geturl()} answers {answer.status}{_detail(record)}")
    return said


def _detail(said: Any) -> str:
    return f": {said['detail']}" if isinstance(said, dict) and isinstance(said.get("detail"), str) else ", which is no gateway's answer"
