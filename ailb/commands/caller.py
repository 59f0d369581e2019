"""A running gateway, as every command that asks one calls it."""

from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from ailb.errors import Unavailable

SECONDS: Final = 10.0


class Caller:
    """`url` may leave out the scheme, and may have a path in front of the gateway's own. `key` is the admin's or a virtual one; `user` is
    whom it is about, where the key does not say.
    """

    def __init__(self, url: str, *, key: str = "", user: str = "", seconds: float = SECONDS) -> None:
        self._url = urlsplit(url if "//" in url else f"http://{url}")
        self._seconds = seconds
        self._headers = {}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        if user:
            self._headers["x-user-id"] = user

    @property
    def where(self) -> str:
        """Its address, for people."""
        return self._url.geturl()

    def call(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """The status and the body of its answer. Raises Unavailable where there is none."""
        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=self._seconds)
        try:
            connection.request(method, self._url.path.rstrip("/") + path, body=body, headers={**self._headers, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException) as problem:
            raise Unavailable(f"{self.where} does not answer: {problem}") from None
        finally:
            connection.close()
