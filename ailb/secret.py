"""Values that must not be seen, and text from which they are taken out."""

import re
from typing import Any, Final

HIDDEN: Final = "[hidden]"
LEAST: Final = 8

# Shapes of the keys that providers and AILB itself hand out. Upstreams quote them in their 401s. The id of a virtual key is none.
_KEYS = re.compile(
    r"(?<![\w-])(?!key-[0-9a-f]{32}(?![\w-]))(?:sk|pk|rk|gsk|xai|csk|pplx|hf|key|nvapi|fw|tgp)[-_][\w.*\-]{6,}"
    r"|AIza[\w-]{10,}"
    r"|(?i:\bbearer\s+)[\w.\-~+/=]{6,}"
)


class Secret:
    """A string that shows itself only when asked by `reveal()`; `repr`, `str`, logs and errors get `[hidden]`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


def scrub(text: str, *known: Secret | None) -> str:
    """`text` without anything that looks like a key, and without each of the `known` ones (a shorter one than `LEAST` is no secret, and
    would take words apart).
    """
    if len(text) < LEAST:  # most of what headers say
        return text
    for secret in known:
        value = secret.reveal() if secret else ""
        if len(value) >= LEAST:
            text = text.replace(value, HIDDEN)
    if "-" in text or "_" in text or "AIza" in text or "bearer" in text.lower():  # every shape has one; the search takes longer
        return _KEYS.sub(HIDDEN, text)
    return text


def scrubbed(value: Any, *known: Secret | None) -> Any:
    """The same for every text in a JSON value, names of members too."""
    if isinstance(value, str):
        return scrub(value, *known)
    if isinstance(value, list):
        return [scrubbed(inner, *known) for inner in value]
    if isinstance(value, dict):
        return {scrub(name, *known): scrubbed(inner, *known) for name, inner in value.items()}
    return value
