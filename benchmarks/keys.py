"""A virtual key for the one who loads a gateway that counts money."""

import json
from dataclasses import replace
from http.client import HTTPConnection

from benchmarks.children import BenchmarkError
from benchmarks.server import Server

LIMITS = {"monthly_quota_dollars": 1_000_000, "rate_limit_rpm": 1_000_000_000, "rate_limit_tpm": 1_000_000_000}
"""A budget, a rate limit and a token limit, so that all are looked up and counted; none that a run could reach."""


def keyed(server: Server) -> Server:
    """The same server, asked with a new virtual key."""
    return replace(server, key=virtual_key(server.port))


def virtual_key(port: int) -> str:
    """A new one, from a gateway in local mode. Raises BenchmarkError."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        headers = {"content-type": "application/json"}
        connection.request("POST", "/api/keys", json.dumps({"name": "bench", **LIMITS}), headers)
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status != 201:
        raise BenchmarkError(f"no key: {response.status} {answer[:300]!r}")
    return str(json.loads(answer)["key"])
