"""Conversations, as hypothesis makes them up: turns in a store, and what a client sends of them."""

from typing import Any

from hypothesis import strategies as st

from ailb.sessions import Turn

Message = dict[str, Any]
FLAGS: st.SearchStrategy[bool] = st.booleans()
TEXTS: st.SearchStrategy[str] = st.sampled_from(["yes", "no", "go on", "What is a fox?", "An animal.", "1 + 1 = 2"])


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str | None, *ids: str) -> Message:
    calls = [{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}} for id in ids]
    return {"role": "assistant", "content": text, **({"tool_calls": calls} if ids else {})}


def tool(id: str, text: str = "done") -> Message:
    return {"role": "tool", "tool_call_id": id, "content": text}


@st.composite
def turns(draw: st.DrawFn, most: int = 6) -> list[Turn]:
    """Each answers a question, or the calls of the one before; some calls are never answered."""
    made: list[Turn] = []
    open: list[str] = []
    for number in range(1, draw(st.integers(0, most)) + 1):
        said = [tool(id, draw(TEXTS)) for id in open] if draw(FLAGS) and open else [user(draw(TEXTS))]
        open = [f"x{number}-{n}" for n in range(draw(st.sampled_from([0, 0, 0, 1, 2])))]
        answer = assistant(None if draw(FLAGS) and open else draw(TEXTS), *open)
        made.append(Turn(number, float(number), [*said, answer], draw(st.integers(1, 500))))
    return made


@st.composite
def requests(draw: st.DrawFn, told: list[Turn]) -> list[Message]:
    """What a client sends: nothing, the end, or all of what was said, and something new."""
    history = [message for turn in told for message in turn.messages]
    kept = draw(st.integers(0, len(history)))
    start = len(history) - kept
    while start < len(history) and history[start]["role"] == "tool":
        start += 1
    sent = history[start:]
    calls = [call["id"] for call in (history[-1].get("tool_calls") or [])] if history else []
    new = [tool(id) for id in calls] if draw(FLAGS) and calls else [user(draw(TEXTS))]
    instructions = [{"role": "system", "content": "be kind"}] if draw(FLAGS) else []
    return [*instructions, *sent, *new]
