"""What each generation of Claude takes, told from the model's name.

Sources: https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting,
https://platform.claude.com/docs/en/build-with-claude/structured-outputs,
https://platform.claude.com/docs/en/about-claude/models/overview
"""

import re
from dataclasses import dataclass, replace
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Abilities:
    """`max_tokens` is what is asked for when the client set no limit; every model of the row allows it.

    `thinking`: not at all, with a budget of tokens, or adaptive with an effort. `quiet` is how an adaptive model is told not to think:
    by leaving the field out, by disabling it, or, where it always thinks, by the lowest effort.
    `sampling`: takes `temperature` and `top_p` (`both`: in one request). `structured`: takes a JSON schema for its answer.
    """

    max_tokens: int
    thinking: Literal["none", "budget", "adaptive"]
    quiet: Literal["omit", "disable", "lowest"] = "omit"
    sampling: bool = True
    both: bool = True
    structured: bool = False
    xhigh: bool = False


_CLAUDE_3: Final = Abilities(4096, "none")
_CLAUDE_3_5: Final = Abilities(8192, "none")
_CLAUDE_3_7: Final = Abilities(32_000, "budget")
_CLAUDE_4_1: Final = replace(_CLAUDE_3_7, both=False)
_CLAUDE_4_5: Final = replace(_CLAUDE_4_1, structured=True)
_CLAUDE_4_6: Final = replace(_CLAUDE_4_5, thinking="adaptive")
_CLAUDE_4_7: Final = replace(_CLAUDE_4_6, sampling=False, xhigh=True)
_CLAUDE_5: Final = replace(_CLAUDE_4_7, quiet="disable")
_NEWEST: Final = replace(_CLAUDE_4_7, quiet="lowest")

_SINCE: Final = (
    ((5, 1), _NEWEST),
    ((5, 0), _CLAUDE_5),
    ((4, 7), _CLAUDE_4_7),
    ((4, 6), _CLAUDE_4_6),
    ((4, 5), _CLAUDE_4_5),
    ((4, 1), _CLAUDE_4_1),
    ((3, 7), _CLAUDE_3_7),
    ((3, 5), _CLAUDE_3_5),
    ((0, 0), _CLAUDE_3),
)

_STRANGER: Final = Abilities(8192, "budget")
"""A model that is not Claude, behind an address that speaks Anthropic's dialect."""

# claude-3-5-sonnet-20241022, claude-sonnet-4-20250514, us.anthropic.claude-opus-4-6-v1, claude-2.1; a date is not a version
_VERSION: Final = re.compile(r"claude-(?:([a-z]+)-)*(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?")


def abilities(model: str) -> Abilities:
    """A Claude without a known version is taken for the newest."""
    name = model.lower()
    found = _VERSION.search(name)
    if found is None:
        return _NEWEST if "claude" in name else _STRANGER
    family, major, minor = found.groups()
    if family in ("fable", "mythos"):
        return _NEWEST
    version = (int(major), int(minor or 0))
    return next(able for since, able in _SINCE if version >= since)
