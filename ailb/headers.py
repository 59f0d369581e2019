"""Which of an upstream's headers a client may see. Everything else stays here: cookies, locations, server names, organisation ids."""

import re
from collections.abc import Collection, Mapping
from typing import Final

from ailb.secret import Secret, scrub

_ON_ERRORS = frozenset({"retry-after", "retry-after-ms", "x-should-retry"})
_ALWAYS = frozenset({"openai-processing-ms", "openai-version", "request-id"})
_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-", "ratelimit-")

_WAIT: Final = re.compile(
    r"\d+(?:\.\d+)?"
    r"|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
    r"|[A-Z][a-z]{5,8}, \d\d-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d GMT"
    r"|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}",
    re.ASCII,
)
"""A number of seconds, or a date in one of HTTP's three forms (RFC 9110, 5.6.7)."""


def passed_on(headers: Mapping[str, str], known: Collection[Secret] = (), *, error: bool = False) -> dict[str, str]:
    """The members of `headers` that go on to the client, with lower-case names, and without the `known` secrets.

    Waiting times only on errors: some upstreams send them on every answer. A `retry-after` that tells no time is none.
    """
    kept = {}
    for name, value in headers.items():
        name = name.lower()
        if name in _ALWAYS or name.startswith(_PREFIXES) or (error and name in _ON_ERRORS):
            kept[name] = scrub(value)
    if known:
        together = "\n".join(kept.values())  # one look at all: nearly always there is none in them
        if any(secret.reveal() in together for secret in known):
            kept = {name: scrub(value, *known) for name, value in kept.items()}
    if "retry-after" in kept and not _WAIT.fullmatch(kept["retry-after"].strip()):
        del kept["retry-after"]
    return kept
