"""What of a request is new, and what of the remembered turns the client has not sent itself. Pure.

Some clients send only what is new, some the whole conversation each time, some its last part. What they send is theirs to say: nothing of
it is repeated, and nothing that came later is put in front of it. So what is put in is what was said before the first thing they send.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ailb.sessions import Turn
from middleware.memory_messages import Message, kept, same

_INSTRUCTIONS = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Said:
    """A request's messages without instructions, as they are remembered. From `since` on, no answer follows; from `last` on they are new
    for sure.
    """

    messages: Sequence[Message]
    since: int
    last: int

    @property
    def history(self) -> Sequence[Message]:
        """What may have been said before."""
        return self.messages[: self.last]


def said(messages: Sequence[Mapping[str, Any]]) -> Said:
    """The last thing said is new, even if its words were said before: `yes` is said often. That is one message, or the results of
    one round of tools, and whatever the client lets the answer begin with.
    """
    made = [kept(message) for message in messages if message.get("role") not in _INSTRUCTIONS]
    end = len(made)
    while end > 0 and made[end - 1]["role"] == "assistant":
        end -= 1
    if end == 0:
        return Said(made, 0, 0)
    last = end - 1
    while last > 0 and made[last]["role"] == made[last - 1]["role"] == "tool":
        last -= 1
    since = last
    while since > 0 and made[since - 1]["role"] != "assistant":
        since -= 1
    return Said(made, since, last)


def new(now: Said, turns: Sequence[Turn]) -> list[Message]:
    """What is to be remembered of a request: what follows the last answer, without what was remembered of it before."""
    unsure = now.messages[now.since : now.last]
    known = Counter(same(message) for turn in turns for message in turn.messages) if unsure else Counter()
    fresh: list[Message] = []
    for message in unsure:
        digest = same(message)
        if known[digest] > 0:
            known[digest] -= 1
        else:
            fresh.append(message)
    return [*fresh, *now.messages[now.last :]]


def unsent(turns: Sequence[Turn], now: Said) -> list[Turn]:
    """The turns, oldest first, up to the first thing that the client sends itself; the last one may be a part of one."""
    sent = Counter(map(same, now.history))
    first: tuple[int, int] | None = None
    for at in reversed(range(len(turns)) if sent else ()):
        messages = turns[at].messages
        for place in reversed(range(len(messages))):
            digest = same(messages[place])
            if sent[digest] > 0:
                sent[digest] -= 1
                first = (at, place)
    if first is None:
        return list(turns)
    at, place = first
    part = turns[at].messages[:place]
    return [*turns[:at], replace(turns[at], messages=part)] if part else list(turns[:at])


def unknown(turns: Sequence[Turn], now: Said) -> list[Turn]:
    """The turns of which the client sent nothing, nor asks for the same once more."""
    if not now.history:
        return list(turns)
    sent = set(map(same, now.messages))
    return [turn for turn in turns if not any(same(message) in sent for message in turn.messages)]
