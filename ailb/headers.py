"""Which of an upstream's headers a client may see. Everything else stays here: cookies, locations, server names, organisation ids."""

from collections.abc import Mapping

from ailb.secret import scrub

_ON_ERRORS = frozenset({"retry-after", "retry-after-ms", "x-should-retry"})
_ALWAYS = frozenset({"openai-processing-ms", "openai-version", "request-id"})
_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-", "ratelimit-")


def passed_on(headers: Mapping[str, str], *, error: bool = False) -> dict[str, str]:
    """The members of `headers` that go on to the client, with lower-case names.

    Waiting times only on errors: some upstreams send them on every answer.
    """
    kept = {}
    for name, value in headers.items():
        name = name.lower()
        if name in _ALWAYS or name.startswith(_PREFIXES) or (error and name in _ON_ERRORS):
            kept[name] = scrub(value)
    return kept
