"""One request, in each dialect that a client may speak."""

from typing import Any

import pytest

from ailb.clients.messages_prompt import MessagesPrompt
from ailb.clients.ollama_prompt import OllamaPrompt
from ailb.embed_none import NoEmbedder
from ailb.embed_question import Questions
from ailb.exchange import Exchange, Outcome
from ailb.models import Models
from ailb.prompt import Prompt
from ailb.sessions import Limits, Session, Turn
from ailb.tally import Tally
from ailb.testing_money import FixedPrices, WordCounter
from ailb.testing_sessions import MemorySessions
from middleware.memory_desk import Desk
from middleware.memory_room import Room
from middleware.memory_talk import Means, Talk
from tests.middleware.talks import assistant, tool, user
from tests.middleware.test_memory_window import alternate

ANN = Session("ann", "s")
LIMITS = Limits(1.0, 100, 100_000, 10)
USE = {"type": "tool_use", "id": "c", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "c", "content": "found"}
FOXES = [Turn(number, float(number), [user(f"fox {number}"), assistant("I see.")], 100) for number in range(1, 5)]
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}


def means(sessions: MemorySessions, recent: int = 1000, recalled: int = 500) -> Means:
    counter = WordCounter()
    room, none = Room(Models({"p": ["m"]}), FixedPrices(), counter), NoEmbedder()
    return Means(sessions, room, Desk(Tally()), LIMITS, recent, recalled, none, Questions(none))


async def put_in(prompt: Prompt, *turns: Turn, **more: Any) -> tuple[Exchange, Talk]:
    sessions = MemorySessions()
    sessions.turns[ANN] = list(turns)
    exchange = Exchange(prompt)
    talk = Talk(means(sessions, **more), exchange, ANN)
    await talk.put_in()
    return exchange, talk


def anthropic(*messages: dict[str, Any], **more: Any) -> MessagesPrompt:
    return MessagesPrompt({"model": "m", "max_tokens": 10, "messages": list(messages), **more}, {})


async def test_a_client_of_anthropics_has_its_conversation() -> None:
    prompt = anthropic(user("Who?"), system="be kind")
    await put_in(prompt, Turn(1, 1.0, [user("I am Alice"), assistant("Hello")], 10))
    said = [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in (("user", "I am Alice"), ("assistant", "Hello"))]
    assert ([*said, user("Who?")], "be kind") == (prompt.body["messages"], prompt.body["system"])


async def test_a_round_of_tools_goes_on_in_anthropics_words_with_what_was_thought() -> None:
    asked = {**assistant(None, "c"), "thinking_blocks": [THOUGHT], "reasoning_content": "hm"}
    prompt = anthropic({"role": "user", "content": [RESULT]})
    await put_in(prompt, Turn(1, 1.0, [user("Look"), asked], 10))
    question, call, result = prompt.body["messages"]
    assert ("user", [THOUGHT, USE], [RESULT]) == (question["role"], call["content"], result["content"])


async def test_what_only_anthropic_has_words_for_does_not_stop_it() -> None:
    odd = {"role": "user", "content": [{"type": "container_upload", "file_id": "f"}, {"type": "text", "text": "Who am I?"}]}
    first = Turn(1, 1.0, [user("I am Alice"), assistant("Hello")], 10)
    prompt = anthropic(odd)
    await put_in(prompt, first)
    assert ["user", "assistant", "user"] == [message["role"] for message in prompt.body["messages"]]
    longer = anthropic(user("I am Alice"), assistant("Hello"), odd)
    _, talk = await put_in(longer, first)
    assert [user("I am Alice"), assistant("Hello"), odd] == longer.body["messages"]
    assert ["Who am I?"] == [message["content"] for message in talk._new]


async def test_a_client_of_ollamas_has_its_conversation() -> None:
    prompt = OllamaPrompt({"model": "m", "messages": [user("Who?")]}, {})
    asked, result = assistant(None, "call_0"), {"role": "tool", "tool_call_id": "call_0", "content": "found"}
    await put_in(prompt, Turn(1, 1.0, [user("Look"), asked], 10), Turn(2, 2.0, [result, assistant("There")], 10))
    native = {"role": "assistant", "content": "", "tool_calls": [{"id": "call_0", "function": {"name": "f", "arguments": {}}}]}
    assert [user("Look"), native, result, assistant("There"), user("Who?")] == prompt.body["messages"]


async def test_what_is_longer_ago_is_told_before_what_was_said_last() -> None:
    prompt = Prompt({"model": "m", "messages": [{"role": "system", "content": "be kind"}, user("Which fox")]}, {})
    exchange, _ = await put_in(prompt, *FOXES, recent=200, recalled=1500)
    contents = [message["content"] for message in prompt.body["messages"]]
    assert ["be kind", "fox 3", "I see.", "fox 4", "I see."] == contents[:-1]
    assert [True, True, False, True] == [*(f"fox {number}" in contents[-1] for number in (1, 2, 3)), contents[-1].endswith("\n\nWhich fox")]
    assert ["Which fox", "fox 4", "fox 3"] == list(prompt.questions())
    assert 2 == exchange.record["memory"]["recalled"]


async def test_what_another_layer_told_is_not_remembered() -> None:
    prompt = Prompt({"model": "m", "messages": [user("Which fox")]}, {})
    prompt.tell("It is raining.")
    _, talk = await put_in(prompt, *FOXES, recent=200, recalled=1500)
    assert prompt.body["messages"][-1]["content"].startswith("It is raining.\n\nFor reference: records")
    assert [user("Which fox")] == talk._new


@pytest.mark.parametrize("asked", ["question", "results"])
@pytest.mark.parametrize("dialect", ["chat", "messages", "ollama"])
async def test_roles_alternate_in_each_dialect(dialect: str, asked: str) -> None:
    """Where the client sends the results of tools only, what is longer ago stands before what they were called for."""
    turns = [*FOXES, Turn(5, 5.0, [user("Which fox"), assistant(None, "call_0")], 100)]
    last = [user("Which fox")] if asked == "question" else [tool("call_0", "fox 1")]
    made: dict[str, Prompt] = {
        "chat": Prompt({"model": "m", "messages": last}, {}),
        "messages": anthropic(*last if asked == "question" else [{"role": "user", "content": [{**RESULT, "tool_use_id": "call_0"}]}]),
        "ollama": OllamaPrompt({"model": "m", "messages": last}, {}),
    }
    prompt = made[dialect]
    sessions = MemorySessions()
    sessions.turns[ANN], sessions.summaries[ANN] = turns, ("They talk of foxes.", 2)
    await Talk(means(sessions, 300, 1500), Exchange(prompt), ANN).put_in()
    told: list[dict[str, Any]] = prompt.chat()["messages"]
    assert alternate(told)
    assert "user" == told[0]["role"]
    (block,) = [message for message in told if "They talk of foxes." in str(message["content"])]
    assert "user" == block["role"]
    assert str(block["content"]).endswith("Which fox")
    assert "user: fox 1\n" in str(block["content"])  # it is recalled in each round of tools
    assert (["user"] if asked == "question" else ["user", "assistant", "tool"]) == [
        message["role"] for message in told[told.index(block) :]
    ]


async def test_with_no_room_for_it_nothing_is_put_in() -> None:
    prompt = Prompt({"model": "m", "messages": [user("Which fox")]}, {})
    exchange, _ = await put_in(prompt, *[Turn(n, 1.0, [user("fox"), assistant("I see.")], 100) for n in (1, 2)], recent=0, recalled=0)
    assert ([user("Which fox")], 0) == (prompt.body["messages"], exchange.record["memory"]["recent"])


@pytest.mark.parametrize("status", ["complete", "disconnected"])
async def test_nothing_is_remembered_of_an_answer_that_said_nothing(status: Any) -> None:
    _, talk = await put_in(Prompt({"model": "m", "messages": [user("Hello")]}, {}))
    talk.begin()
    talk.settle(Outcome(status, 200, 0.0))
    await talk._means.desk.close()
    sessions: Any = talk._means.sessions
    assert ({ANN: []}, {ANN: 0}) == (sessions.turns, sessions.begun)
