"""Which of the last turns are put in front of a request, word for word. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ailb.sessions import Turn, words
from middleware.memory_messages import Message, cut, plain, shares

LEAST: Final = 200
"""Tokens that are worth to shorten a turn to."""

MARGIN: Final = 0.9
"""The part that is kept may have more tokens for its letters than the rest."""

MARK: Final = 50
"""Letters that tell how many were left out."""

STEP: Final = 4
"""Requests for which the same turn stays the first one, since providers keep what a prompt begins with."""

UNANSWERED: Final = "(The tool that was called here never answered.)"


def fitting(turns: Sequence[Turn], tokens: int) -> list[Turn]:
    """The last turns that together take at most so many tokens. A call of a tool and its result stay together, or go together.

    Of a last turn that does not fit there is the beginning and the end: a conversation that forgets what was said last is none. Of many
    turns up to three fewer are taken than would fit, so that the first one does not change with each request.
    """
    made: list[Turn] = []
    budget = tokens
    for chain in reversed(_chains(turns)):
        tokens -= sum(turn.tokens for turn in chain)
        if tokens < 0 or _answers(chain[0]):
            break
        made[:0] = chain
    return _steady(made) or _shortened(turns[-1:], budget)


def messages_of(turns: Iterable[Turn], following: Sequence[Mapping[str, Any]]) -> list[Message]:
    """The turns' messages, such as every provider takes them in front of those that follow: no call without its results, no result without
    its call. Reasoning is there only while the tools that it led to are at work: no model needs what it thought of an older question.
    """
    given = [message for turn in turns for message in turn.messages]
    made = _sound(given, following)
    open = (
        bool(made) and bool(following) and following[0].get("role") == "tool" and bool(made[-1].get("tool_calls") or _is_result(made[-1]))
    )
    asked = max((at for at, message in enumerate(made) if message["role"] == "user"), default=-1) if open else len(made)
    return [message if at > asked else plain(message) for at, message in enumerate(made)]


def _steady(turns: list[Turn]) -> list[Turn]:
    """From a turn on that will be the first one for a while."""
    first = range(STEP if len(turns) >= 2 * STEP else 0)
    return turns[next((at for at in first if turns[at].number % STEP == 1 and not _answers(turns[at])), 0) :]


def _shortened(turns: Sequence[Turn], tokens: int) -> list[Turn]:
    """Not where tools were called, nor where there would be next to nothing left."""
    if not turns or tokens < LEAST or turns[0].tokens <= tokens or any(set(message) - {"role", "content"} for message in turns[0].messages):
        return []
    turn = turns[0]
    texts = [words(message) for message in turn.messages]
    kept = shares([len(text) for text in texts], int(sum(map(len, texts)) * tokens / turn.tokens * MARGIN) - MARK * len(texts))
    messages = [{**message, "content": cut(text, most)} for message, text, most in zip(turn.messages, texts, kept, strict=True)]
    return [replace(turn, messages=messages, tokens=tokens)]


def _chains(turns: Sequence[Turn]) -> list[list[Turn]]:
    """Turns of which each begins with the results of what the one before called."""
    made: list[list[Turn]] = []
    for turn in turns:
        if made and _answers(turn):
            made[-1].append(turn)
        else:
            made.append([turn])
    return made


def _answers(turn: Turn) -> bool:
    return bool(turn.messages) and _is_result(turn.messages[0])


def _is_result(message: Mapping[str, Any]) -> bool:
    return message.get("role") == "tool"


def _sound(given: Sequence[Message], following: Sequence[Mapping[str, Any]]) -> list[Message]:
    whole = [*given, *following]
    made: list[Message] = []
    at = 0
    while at < len(given):
        message, end = given[at], at + 1
        while end < len(whole) and _is_result(whole[end]):
            end += 1
        results = whole[at + 1 : end]
        if message.get("tool_calls") and _all_answered(message["tool_calls"], results):
            made += given[at:end]
        elif not _is_result(message):
            made.append(_without_calls(message))
        at = end
    return made


def _all_answered(calls: Any, results: Sequence[Mapping[str, Any]]) -> bool:
    """Ollama's clients give no ids: there it is the number that tells."""
    if not isinstance(calls, list) or len(calls) != len(results):
        return False
    ids = {call.get("id") for call in calls if isinstance(call, Mapping)}
    given = {result.get("tool_call_id") for result in results}
    return ids == given or all(str(id).startswith("call_") and str(id)[5:].strip("_").isdigit() for id in ids | given)


def _without_calls(message: Message) -> Message:
    """Never nothing: the user must not speak twice in a row, nor right after a tool."""
    return {"role": message["role"], "content": words(message) or UNANSWERED} if message.get("tool_calls") else message
