import asyncio
from typing import Any

import pytest

from ailb.clients.chat import Chat
from ailb.clients.messages import Messages
from ailb.clients.ollama import OllamaChat
from ailb.dialect import Speech
from ailb.errors import BadRequest, NotFound, Unavailable
from ailb.exchange import Exchange, Reply
from ailb.keys import Key
from ailb.prompt import Prompt
from ailb.retrieval import Found, Passage, Reader
from ailb.testing import answers, ask, run
from ailb.testing_retrieval import Asked, MemoryRetriever
from middleware.rag import HEADER, MOST_QUESTION, Rag, question_of
from middleware.rag_told import SOURCES_HEADER, UNKNOWN_HEADER
from tests.middleware.test_rag_block import ATTACKS

PASSAGES = [
    Passage("c1", "d1", "Thirty days.", title="Handbook", source="https://example.com/h", score=0.9),
    Passage("c2", "d2", "Open at nine.", source="hours.txt", score=0.5),
]
QUESTION = "How long may customers return products?"


def retriever(*passages: Passage) -> MemoryRetriever:
    return MemoryRetriever({("ann", "docs"): passages or PASSAGES, ("ann", "none"): [], ("ben", "his"): PASSAGES})


def asks(text: str = QUESTION, *, collection: str = "docs", key: Key | None = None, **body: Any) -> Exchange:
    exchange = ask(text, rag_collection=collection, **body)
    exchange.caller.user, exchange.caller.key = "ann", key
    return exchange


def key(*collections: str) -> Key:
    return Key("key-1", "ann", allowed_collections=collections)


def messages(exchange: Exchange) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = exchange.prompt.body["messages"]
    return made


class Upstream:
    def __init__(self, *texts: str) -> None:
        self.asked = 0
        self._answer = answers(*texts)

    async def __call__(self, exchange: Exchange) -> Reply:
        self.asked += 1
        return await self._answer(exchange)


async def test_sources_go_before_the_question_and_the_answer_tells_them() -> None:
    docs = retriever()
    system = {"role": "system", "content": "Be kind."}
    asked = asks(messages=[system, {"role": "user", "content": QUESTION}], rag_top_k=5)
    result = await run(Rag(docs), asked, answers("Thirty days [1], not [4]."))
    (before, last) = messages(result.exchange)
    assert (system, "user", True) == (before, last["role"], last["content"].endswith(f">\n\n{QUESTION}"))
    assert "[1] Handbook; https://example.com/h\n| Thirty days.\n[2] hours.txt\n| Open at nine.\n" in last["content"]
    assert [Asked(Reader("ann"), "docs", QUESTION, 5)] == docs.asked
    (annotation,) = result.events[0].data["choices"][0]["message"]["annotations"]
    assert ("https://example.com/h", {SOURCES_HEADER: "2", UNKNOWN_HEADER: "4"}) == (
        annotation["url_citation"]["url"],
        result.exchange.reply_headers,
    )


async def test_what_is_noted_and_recorded() -> None:
    result = await run(Rag(retriever()), asks(), answers("[1] [4]"))
    notes, record = result.exchange.notes, result.exchange.record["rag"]
    millis = notes.pop("rag_ms")
    assert {"rag": "found", "rag_sources": 2, "rag_unknown": [4]} == notes
    size = len(messages(result.exchange)[0]["content"]) - len(f"\n\n{QUESTION}")
    first = {"number": 1, "id": "c1", "document": "d1", "title": "Handbook", "source": "https://example.com/h", "score": 0.9}
    second = {"number": 2, "id": "c2", "document": "d2", "title": "", "source": "hours.txt", "score": 0.5}
    assert {
        "collection": "docs",
        "outcome": "found",
        "degraded": None,
        "ms": millis,
        "characters": size,
        "sources": [{**first, "characters": 14}, {**second, "characters": 15}],
    } == record


async def test_a_stream_is_told_too() -> None:
    result = await run(Rag(retriever()), asks(stream=True), answers("Thirty [", "1", "]", "[7]"))
    told = [choice["delta"] for event in result.events for choice in event.data["choices"]]
    assert ("Thirty [1][7]", ["role", "content", "annotations"]) == (
        result.text,
        list(dict.fromkeys(name for delta in told for name in delta)),
    )
    assert "annotations" in told[-2]
    assert ({SOURCES_HEADER: "2"}, [7]) == (result.exchange.reply_headers, result.exchange.notes["rag_unknown"])


async def test_who_names_no_collection_has_nothing_to_do_with_it() -> None:
    docs = retriever()
    result = await run(Rag(docs, required=True), ask(), answers("[1]"))
    assert ([], {}, {}, {}) == (docs.asked, result.exchange.reply_headers, result.exchange.notes, result.exchange.record)
    assert 1 == len(messages(result.exchange))


async def test_the_reader_is_who_was_authenticated_and_what_the_key_may() -> None:
    docs = retriever()
    asked = asks(key=key("docs", "more"), user="ben", metadata={"user": "ben"})
    assert "2" == (await run(Rag(docs), asked, answers("Hi"))).exchange.reply_headers[SOURCES_HEADER]
    assert [Reader("ann", ("docs", "more"))] == [search.reader for search in docs.asked]


@pytest.mark.parametrize(("collection", "allowed"), [("nowhere", None), ("his", None), ("docs", key("other")), ("docs", key())])
@pytest.mark.parametrize("required", [True, False])
async def test_a_foreign_collection_is_none(collection: str, allowed: Key | None, required: bool) -> None:
    upstream = Upstream("Hi")
    result = await run(Rag(retriever(), required=required), asks(collection=collection, key=allowed), upstream)
    assert isinstance(result.refusal, NotFound)
    message = f"there is no collection {collection}"
    assert {
        "message": message,
        "type": "not_found_error",
        "param": "rag_collection",
        "code": "collection_not_found",
    } == result.refusal.error()
    assert ("not_found", 0, 1) == (result.exchange.notes["rag"], upstream.asked, len(messages(result.exchange)))


@pytest.mark.parametrize("outcome", ["unavailable", "timeout"])
async def test_without_documents_the_question_is_asked_all_the_same(outcome: str) -> None:
    docs, upstream = retriever(), Upstream("Hi [1]")
    docs.down, docs.hung = outcome == "unavailable", outcome == "timeout"
    result = await run(Rag(docs, deadline_seconds=0.01), asks(), upstream)
    assert ("Hi [1]", {SOURCES_HEADER: "0", HEADER: outcome}) == (result.text, result.exchange.reply_headers)
    assert (outcome, outcome, []) == (
        result.exchange.notes["rag"],
        result.exchange.record["rag"]["outcome"],
        result.exchange.record["rag"]["sources"],
    )
    assert (1, 1, 0) == (upstream.asked, len(messages(result.exchange)), docs.waiting)


@pytest.mark.parametrize("hung", [True, False])
async def test_unless_they_are_required(hung: bool) -> None:
    docs, upstream = retriever(), Upstream("Hi")
    docs.down, docs.hung = not hung, hung
    result = await run(Rag(docs, deadline_seconds=0.01, required=True), asks(), upstream)
    assert isinstance(result.refusal, Unavailable)
    assert (503, 0, "timeout" if hung else "unavailable") == (result.refusal.status, upstream.asked, result.exchange.notes["rag"])


async def test_what_the_retriever_refuses_is_refused() -> None:
    class Strict:
        async def search(self, reader: Reader, collection: str, question: str, most: int) -> list[Passage]:
            raise BadRequest("not like this")

    result = await run(Rag(Strict()), asks(), answers("Hi"))
    assert isinstance(result.refusal, BadRequest)
    assert "refused" == result.exchange.notes["rag"]


@pytest.mark.parametrize("asked", [asks(collection="none"), asks(messages=[{"role": "system", "content": "S"}])])
async def test_nothing_found_or_nothing_asked_changes_nothing(asked: Exchange) -> None:
    result = await run(Rag(retriever(), required=True), asked, answers("[1]"))
    assert ("empty", {SOURCES_HEADER: "0"}, 1) == (
        result.exchange.notes["rag"],
        result.exchange.reply_headers,
        len(messages(result.exchange)),
    )


async def test_who_leaves_meanwhile_is_not_asked_for() -> None:
    docs, upstream = retriever(), Upstream("Hi")
    docs.hung = True
    asked = asks()
    running = asyncio.create_task(run(Rag(docs, deadline_seconds=60), asked, upstream))
    while not docs.waiting:
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (0, 0, "abandoned") == (docs.waiting, upstream.asked, asked.notes["rag"])


async def test_a_retriever_that_finds_too_much_is_not_believed() -> None:
    class Generous:
        async def search(self, reader: Reader, collection: str, question: str, most: int) -> list[Passage]:
            return PASSAGES * 20

    result = await run(Rag(Generous(), most_characters=1500), asks(rag_top_k=4), answers("Hi"))
    assert "4" == result.exchange.reply_headers[SOURCES_HEADER]
    assert len(messages(result.exchange)[0]["content"]) <= 1500 + len(f"\n\n{QUESTION}")


async def test_the_same_sources_have_the_same_delimiter_and_others_another() -> None:
    """What a prompt begins with is kept by providers; so a round of tools must not change it."""
    rounds = [{"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}, {"role": "tool", "tool_call_id": "c", "content": "x"}]
    question = {"role": "user", "content": QUESTION}
    first, same, other = [
        messages((await run(Rag(docs), asks(messages=asked), answers("Hi"))).exchange)
        for docs, asked in (
            (retriever(), [question]),
            (retriever(), [question, *rounds]),
            (retriever(PASSAGES[0]), [question]),
        )
    ]
    assert [*first, *rounds] == same
    assert first != other


async def test_passages_found_by_their_words_only_are_told_to_be() -> None:
    class Degraded:
        async def search(self, reader: Reader, collection: str, question: str, most: int) -> list[Passage]:
            return Found(PASSAGES, degraded="embedder")

    result = await run(Rag(Degraded()), asks(), answers("Hi"))
    assert {SOURCES_HEADER: "2", HEADER: "degraded"} == result.exchange.reply_headers
    assert ("found", "embedder") == (result.exchange.notes["rag"], result.exchange.notes["rag_degraded"])
    assert "embedder" == result.exchange.record["rag"]["degraded"]


async def test_a_collections_name_may_be_composed_as_it_likes() -> None:
    docs = retriever()
    await run(Rag(docs), asks(collection="cafe\u0301"), answers("Hi"))
    assert ["caf\u00e9"] == [search.collection for search in docs.asked]


@pytest.mark.parametrize(
    ("options", "problem"), [({"deadline_seconds": 0}, "deadline_seconds"), ({"most_characters": 999}, "most_characters")]
)
def test_options_that_make_no_sense(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Rag(retriever(), **options)


async def test_a_dry_exchange_is_looked_up_and_explained() -> None:
    asked = asks()
    asked.dry = True
    await run(Rag(retriever()), asked, answers())
    assert ("found", [1, 2]) == (asked.record["rag"]["outcome"], [source["number"] for source in asked.record["rag"]["sources"]])
    assert [True, False] == ["<sources " in messages(each)[0]["content"] for each in (asked, asks())]


def talk(*said: str) -> Prompt:
    turns = [{"role": "user" if place % 2 == 0 else "assistant", "content": text} for place, text in enumerate(said)]
    return Prompt({"messages": turns}, {})


@pytest.mark.parametrize(
    ("said", "question"),
    [
        ((QUESTION,), QUESTION),
        (("And the second?",), "And the second?"),
        ((QUESTION, "Thirty days.", "And in Germany?"), f"{QUESTION}\nAnd in Germany?"),
        ((QUESTION, "Thirty days.", "Which countries have other return periods?"), "Which countries have other return periods?"),
        (("a", "b", "c", "d", "e"), "c\ne"),
        ((QUESTION, "x", ""), QUESTION),
        (("x" * 5000 + QUESTION,), ("x" * 5000 + QUESTION)[-MOST_QUESTION:]),
        (("x" * 5000, "y", "and?"), "x" * (MOST_QUESTION - 5) + "\nand?"),
        (("",), ""),
    ],
)
def test_a_short_question_goes_on_from_the_one_before(said: tuple[str, ...], question: str) -> None:
    assert question == question_of(talk(*said))


SPEECHES: dict[str, Speech] = {"chat": Chat(), "messages": Messages(), "ollama": OllamaChat()}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("speech", SPEECHES.values(), ids=SPEECHES)
async def test_whatever_a_document_says_only_the_block_says_it(speech: Speech, attack: str) -> None:
    tools = [{"name": "pay", "description": "d", "input_schema": {"type": "object"}}] if isinstance(speech, Messages) else []
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": QUESTION}], "rag_collection": "docs"}
    exchange = Exchange(speech.prompt({**body, **({"tools": tools} if tools else {})}, {}))
    exchange.caller.user = "ann"
    before = {**exchange.prompt.body}
    cap, has_tools = exchange.prompt.output_cap, exchange.prompt.has_tools
    await run(Rag(retriever(Passage("c", "d", attack, title=attack, source=attack))), exchange, answers("Hi"))
    after = {**exchange.prompt.body}
    told = after.pop("messages")
    del before["messages"]
    assert (before, cap, has_tools, "m") == (after, exchange.prompt.output_cap, exchange.prompt.has_tools, exchange.prompt.model)
    assert {"user"} == {message["role"] for message in told}
    assert QUESTION == exchange.prompt.question
    whole = "\n\n".join(exchange.prompt.texts())
    assert whole.endswith(f">\n\n{QUESTION}")
    block = whole.removesuffix(f"\n\n{QUESTION}")
    assert 3 == block.count(block.rpartition("</sources ")[2].removesuffix(">"))
