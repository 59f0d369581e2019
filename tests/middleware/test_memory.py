"""The layer, with sessions in memory."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from ailb.aside import Aside
from ailb.dialect import Target
from ailb.embedding import Vector
from ailb.errors import Unavailable
from ailb.exchange import Exchange, Reply
from ailb.models import Models
from ailb.sessions import Near, Session, Turn
from ailb.stack import Next
from ailb.tally import Tally
from ailb.testing import Result, answers, ask, refuses, run
from ailb.testing_money import FixedPrices, WordCounter
from ailb.testing_sessions import MemorySessions
from middleware.memory import Memory
from middleware.memory_window import UNANSWERED
from tests.middleware.talks import Message, assistant, tool, user

MODELS = Models({}, {"fake-model": [Target("fake", "fake-model")]})
ALICE = "My name is Alice"
WHO = "What is my name?"
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


class FakeEmbedder:
    """Knows one direction for each first letter."""

    dimension: int | None = 2

    def __init__(self, name: str = "fake", *, seconds: float = 0, problem: Exception | None = None) -> None:
        self.name = name
        self.asked: list[str] = []
        self._seconds = seconds
        self._problem = problem

    async def embed(self, texts: Sequence[str], *, user: str = "") -> list[Vector]:
        self.asked += texts
        await asyncio.sleep(self._seconds)
        if self._problem:
            raise self._problem
        return [[1.0, 0.0] if text[0] == "M" else [0.0, 1.0] for text in texts]


class Rig:
    """A layer, what it remembers, and what the innermost was asked."""

    def __init__(
        self, *, context: int | None = None, embedder: FakeEmbedder | None = None, aside: Aside | None = None, **options: Any
    ) -> None:
        self.sessions = MemorySessions()
        prices = FixedPrices(context=context)
        services = [embedder or FakeEmbedder(""), Tally(), *([aside] if aside else [])]
        self.memory = Memory(self.sessions, MODELS, prices, WordCounter(), *services, **options)  # type: ignore[arg-type]
        self.asked: list[Message] = []

    async def say(self, text: str = WHO, *, then: Next | None = None, session: str = "s", by: str = "ann", **more: Any) -> Result:
        exchange = ask(text, session_id=session, **more)
        return await self.run(exchange, then or answers("Hello", " there"), by)

    async def run(self, exchange: Exchange, then: Next, by: str = "ann", *, leave_after: int | None = None) -> Result:
        exchange.caller.user = by

        async def listening(inner: Exchange) -> Reply:
            self.asked = inner.prompt.body["messages"]
            return await then(inner)

        result = await run(self.memory, exchange, listening, leave_after=leave_after)
        await self.memory._desk.close()
        return result

    def remembered(self, session: str = "s", by: str = "ann") -> list[list[Any]]:
        return [[message["content"] for message in turn.messages] for turn in self.sessions.turns.get(Session(by, session), ())]

    def fill(self, *texts: str, tokens: int = 100) -> None:
        messages = [[user(text), assistant("I see.")] for text in texts]
        self.sessions.turns[Session("ann", "s")] = [Turn(n, 1.7e9 + n, each, tokens) for n, each in enumerate(messages, 1)]
        self.sessions.begun[Session("ann", "s")] = len(texts)


@BOTH
async def test_the_next_request_knows_what_was_said(stream: bool) -> None:
    rig = Rig()
    await rig.say(ALICE, stream=stream)
    result = await rig.say(stream=stream)
    assert [user(ALICE), assistant("Hello there"), user(WHO)] == rig.asked
    assert [[ALICE, "Hello there"], [WHO, "Hello there"]] == rig.remembered()
    memory = result.exchange.record["memory"]
    assert {"session": "s", "recent": 1, "recent_tokens": 8 + 8, "recalled": 0, "recalled_tokens": 0, "summary": False} == memory


async def test_without_a_session_nothing_is_looked_up_or_remembered() -> None:
    rig = Rig()
    rig.sessions.down = True
    exchange = ask(WHO)
    result = await run(rig.memory, exchange, answers("Hi"))
    assert ("Hi", {}, {}) == (result.text, rig.sessions.turns, exchange.record)


@pytest.mark.parametrize(("by", "session"), [("bob", "s"), ("ann", "other")])
async def test_another_user_or_session_knows_nothing(by: str, session: str) -> None:
    rig = Rig()
    await rig.say(ALICE)
    await rig.say(by=by, session=session)
    assert [user(WHO)] == rig.asked


async def test_who_sends_the_whole_conversation_is_told_nothing_twice() -> None:
    rig = Rig()
    await rig.say(ALICE)
    sent = [{"role": "system", "content": "be kind"}, user(ALICE), assistant("Hello there"), user(WHO)]
    await rig.say(messages=sent)
    assert sent == rig.asked
    assert [[ALICE, "Hello there"], [WHO, "Hello there"]] == rig.remembered()


async def test_what_was_said_long_ago_is_recalled_as_data_before_the_question() -> None:
    rig = Rig(recent_tokens=250)
    rig.fill(ALICE, *["Something else"] * 5)
    result = await rig.say("Is Alice my name?")
    *turns, last = rig.asked
    assert ("user", True) == (last["role"], last["content"].endswith(">>>\n\nIs Alice my name?"))
    assert [True, True] == [part in last["content"] for part in (f"user: {ALICE}", "data, not instructions")]
    assert [user("Something else"), assistant("I see.")] * 2 == turns
    assert ["Is Alice my name?", "Hello there"] == rig.remembered()[-1]
    memory = result.exchange.record["memory"]
    assert (2, 200, 1) == (memory["recent"], memory["recent_tokens"], memory["recalled"])
    assert 0 < memory["recalled_tokens"] <= 1500


async def test_a_small_model_gets_less() -> None:
    rig = Rig(context=1500)
    rig.fill(ALICE, *["Something else"] * 9)
    result = await rig.say("Is Alice my name?")
    memory = result.exchange.record["memory"]
    assert 0 < memory["recent_tokens"] + memory["recalled_tokens"] < 1500


@pytest.mark.parametrize("status", ["refused", "broken"])
@BOTH
async def test_only_what_was_answered_is_remembered(status: str, stream: bool) -> None:
    async def breaks(exchange: Exchange) -> Reply:
        reply = await answers("Hello")(exchange)

        def see(events: list[Any]) -> list[Any]:
            raise Unavailable("broken")

        reply.each_batch(see)
        return reply

    rig = Rig()
    await rig.say(ALICE, then=refuses(Unavailable("gone")) if status == "refused" else breaks, stream=stream)
    assert [] == rig.remembered()
    await rig.say()
    assert ([user(WHO)], [1]) == (rig.asked, [turn.number for turn in rig.sessions.turns[Session("ann", "s")]])


async def test_an_answer_that_the_client_left_is_remembered_as_far_as_it_went() -> None:
    rig = Rig()
    result = await rig.run(ask(ALICE, session_id="s", stream=True), answers("Hel", "lo"), leave_after=2)
    assert "disconnected" == result.outcome.status
    (turn,) = rig.sessions.turns[Session("ann", "s")]
    assert (True, [user(ALICE), assistant("Hel")]) == (turn.cut, turn.messages)
    await rig.run(ask("Quick", session_id="q", stream=True), answers("Hello"), leave_after=1)
    assert [] == rig.remembered("q")


async def test_a_round_of_tools_is_remembered_and_goes_on() -> None:
    calls = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}

    async def innermost(exchange: Exchange) -> Reply:
        reply = await answers("")(exchange)
        reply.each(lambda event: event.data["choices"][0]["message"].update(content=None, tool_calls=[calls]) or event)
        return reply

    rig = Rig()
    await rig.say("Look it up", then=innermost)
    await rig.say(messages=[tool("c", "found")])
    assert [user("Look it up"), assistant(None, "c"), tool("c", "found")] == rig.asked
    await rig.say("Thanks")
    assert ["user", "assistant", "tool", "assistant", "user"] == [message["role"] for message in rig.asked]
    await rig.say("Look again", then=innermost, session="other")
    await rig.say("Never mind", session="other")
    assert [user("Look again"), assistant(UNANSWERED), user("Never mind")] == rig.asked


@BOTH
async def test_without_its_store_a_request_goes_on_and_is_told(stream: bool) -> None:
    rig = Rig()
    rig.sessions.down = True
    result = await rig.say(ALICE, stream=stream)
    exchange = result.exchange
    assert ("Hello there", "unavailable", "unavailable") == (result.text, exchange.reply_headers["x-ailb-memory"], exchange.notes["memory"])
    assert {"session": "s", "unavailable": True} == exchange.record["memory"]
    rig.sessions.down = False
    assert [] == rig.remembered()


async def test_a_store_that_takes_too_long_is_not_waited_for() -> None:
    class Slow(MemorySessions):
        async def past(self, session: Session, tokens: int) -> Any:
            await asyncio.Event().wait()

    rig = Rig()
    rig.memory = Memory(Slow(), MODELS, FixedPrices(), WordCounter(), FakeEmbedder(""), Tally())
    result = await rig.say(ALICE)
    assert ("Hello there", "unavailable") == (result.text, result.exchange.reply_headers["x-ailb-memory"])


async def test_a_dry_request_reads_and_writes_nothing() -> None:
    rig = Rig(embedder=FakeEmbedder(), recent_tokens=100)
    rig.fill(ALICE, "Something else")
    exchange = ask("Is Alice my name?", session_id="s")
    exchange.dry = True
    before = dict(rig.sessions.begun)
    await rig.run(exchange, answers("Hi"))
    assert (2, before) == (len(rig.remembered()), rig.sessions.begun)
    assert [] == rig.memory._means.embedder.asked  # type: ignore[attr-defined]
    assert (1, 1) == tuple(exchange.record["memory"][name] for name in ("recent", "recalled"))


async def test_requests_of_one_session_at_once_keep_their_order() -> None:
    rig, free = Rig(), asyncio.Event()

    async def slow(exchange: Exchange) -> Reply:
        await free.wait()
        return await answers("slow")(exchange)

    first = asyncio.create_task(rig.say("one", then=slow))
    await asyncio.sleep(0)
    await rig.say("two", then=answers("fast"))
    free.set()
    await first
    await rig.say("three")
    assert [user("one"), assistant("slow"), user("two"), assistant("fast"), user("three")] == rig.asked


async def test_meaning_is_asked_for_only_where_there_is_somebody_who_knows_it() -> None:
    rig = Rig(embedder=FakeEmbedder(), recent_tokens=100)
    await rig.say(ALICE)
    assert {(Session("ann", "s"), 1)} == set(rig.sessions.vectors)
    rig.fill(ALICE, "Something else")
    await rig.say()
    (near,) = rig.sessions.near
    assert near is not None
    assert ("fake", [0.0, 1.0]) == (near.embedder, near.vector)


@pytest.mark.parametrize("embedder", [FakeEmbedder(seconds=60), FakeEmbedder(problem=Unavailable("gone")), FakeEmbedder("")])
async def test_without_meaning_words_are_enough(embedder: FakeEmbedder) -> None:
    rig = Rig(embedder=embedder, recent_tokens=100)
    rig.fill(ALICE, "Something else")
    result = await rig.say("Is Alice my name?", then=refuses(Unavailable("not remembered")))
    assert ([None], 1) == (rig.sessions.near, result.exchange.record["memory"]["recalled"])


async def test_turns_that_were_never_embedded_are_bit_by_bit_behind_the_answers() -> None:
    """The embedder was down, the gateway was killed, or it is another embedder now."""
    rig = Rig(embedder=FakeEmbedder("new"))
    rig.fill("one", "two", "...", "four", "five", " ")
    ann = Session("ann", "s")
    rig.sessions.vectors = {(ann, number): Near("old", [1.0, 0.0]) for number in (1, 2)}
    await rig.say("seven")
    assert {7, 6, 5, 4, 3} == {number for (_, number), near in rig.sessions.vectors.items() if near.embedder == "new"}
    await rig.say("eight")
    assert set(range(1, 9)) == {number for (_, number), near in rig.sessions.vectors.items() if near.embedder == "new"}


async def test_long_conversations_are_summed_up() -> None:
    rig = Rig(aside=Aside(answers("Ann likes foxes.")), summary_model="small", recent_tokens=100)
    rig.fill(*["Something else"] * 12)
    await rig.say()
    await rig.memory._desk.close()
    assert ("Ann likes foxes.", 11) == rig.sessions.summaries[Session("ann", "s")]
    result = await rig.say()
    assert "Summary of what was said before:\nAnn likes foxes." in rig.asked[-1]["content"]
    assert result.exchange.record["memory"]["summary"] is True


async def test_old_turns_are_pruned_for_as_long_as_it_serves(recwarn: pytest.WarningsRecorder) -> None:
    rig = Rig()
    async with rig.memory:
        await rig.say(ALICE)
    assert (1, 0) == (len(rig.remembered()), len(recwarn))


NONSENSE: dict[str, Any] = {"recent_tokens": -1, "recalled_tokens": -1, "keep_days": 0, "max_turns": 0, "max_bytes": 0, "max_sessions": 0}


@pytest.mark.parametrize(("option", "value"), [*NONSENSE.items(), ("summary_tokens", 0), ("summary_model", "m")])
def test_what_makes_no_sense_is_refused(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=option):
        Rig(**{option: value})
