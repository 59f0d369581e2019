"""`python -m benchmarks.recall`: whether what was said long ago in a conversation is among what is recalled for a question about it.

Conversations are generated: facts, each told once, between questions and answers out of XQuAD about something else. A fact is told in a
sentence, or as a short answer to what the model asked in the turn before; it is asked for in other words.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from ailb.clock import Clock
from ailb.secret import Secret
from ailb.sessions import Limits, Near, Session, Turn
from ailb.store.database import Database
from ailb.store.sessions import StoredSessions
from ailb.store.words import Words, space
from benchmarks.children import ROOT, BenchmarkError
from benchmarks.retrieval_run import Remembering
from benchmarks.retrieval_sets import Set, folder, xquad
from benchmarks.retrieval_texts import sentences

PAGE, START, END = ROOT / "docs" / "memory.md", "<!-- recalled -->\n", "<!-- end of recalled -->\n"
FACTS = Path(__file__).with_name("recall_talks.json")
WAYS = ("words of the turn alone", "and of the turn before", "and meaning")
TURNS, TALKS, MOST = 400, 5, 10
ROOMY = Limits(1e9, 10 * TURNS, 1 << 30, 1000)

Fact = Mapping[str, str]


def main(arguments: list[str] | None = None) -> int:
    told = parser().parse_args(arguments)
    console = Console()
    try:
        filler = xquad(folder(), "en")
    except BenchmarkError as problem:
        console.print(str(problem))
        return 1
    shown = rows(asyncio.run(measured(filler, 1 if told.quick else TALKS)))
    table = Table("", *WAYS)
    for row in shown:
        table.add_row(*row)
    console.print(table)
    if told.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), shown), encoding="utf-8")
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.recall", description=__doc__)
    made.add_argument("--quick", action="store_true", help="one conversation")
    made.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    return made


def facts() -> list[Fact]:
    found: list[Fact] = json.loads(FACTS.read_text(encoding="utf-8"))
    return found


def talk(facts: Sequence[Fact], filler: Set, turns: int, dice: Random) -> Iterator[tuple[list[dict[str, Any]], Fact | None]]:
    """The messages of each turn, and the fact that is told in it."""
    answers, questions = sentences([filler]), [question.text for question in filler.questions]
    places = dict(zip(sorted(dice.sample(range(1, turns // 2), len(facts))), dice.sample(facts, len(facts)), strict=True))
    for turn in range(turns):
        fact, following = places.get(turn), places.get(turn + 1, {})
        said = fact["told"] if fact else dice.choice(questions)
        answer = " ".join(filter(None, ["Noted." if fact else dice.choice(answers), following.get("asked")]))
        yield [{"role": "user", "content": said}, {"role": "assistant", "content": answer}], fact


async def measured(filler: Set, talks: int, turns: int = TURNS) -> dict[str, list[list[bool]]]:
    """By the way in which a fact is told: for each one whether each of WAYS recalls it."""
    found: dict[str, list[list[bool]]] = {"in a sentence": [], "as a short answer": []}
    embedder = Remembering()
    with TemporaryDirectory() as made:
        async with Database(Secret(f"sqlite+aiosqlite:///{made}/ailb.db"), Clock()) as database:
            await database.prepare()
            for number in range(talks):
                one = _Talk(database, Session("bench", str(number)), embedder)
                told = await one.tell(list(talk(facts(), filler, turns, Random(number))))
                for place, fact in told.items():
                    found["as a short answer" if "asked" in fact else "in a sentence"].append(await one.recalls(fact["question"], place))
    return found


class _Talk:
    def __init__(self, database: Database, session: Session, embedder: Remembering) -> None:
        self._database = database
        self._session = session
        self._embedder = embedder
        self._sessions = StoredSessions(database)
        self._alone = Words(database, "chunks_words")
        self._space = space("alone", session.id)
        self._length = 0

    async def tell(self, turns: Sequence[tuple[list[dict[str, Any]], Fact | None]]) -> dict[int, Fact]:
        """By the number of the turn."""
        told: dict[int, Fact] = {}
        for messages, fact in turns:
            begun = await self._sessions.begin(self._session, ROOMY)
            turn = Turn(begun.number, begun.at, messages)
            await self._sessions.remember(self._session, turn, ROOMY)
            await self._sessions.embed(self._session, turn.number, await self._near(turn.text))
            row = int(self._session.id) * 100_000 + turn.number, turn.text
            await self._database.write(lambda connection, row=row: self._alone.add(connection, self._space, [row]))  # type: ignore[misc]
            if fact is not None:
                told[turn.number] = fact
            self._length = turn.number
        return told

    async def recalls(self, question: str, place: int) -> list[bool]:
        alone = [id % 100_000 for id, _ in await self._alone.find(self._space, question, MOST)]
        both = [
            await self._sessions.recall(self._session, question, self._length + 1, MOST, near)
            for near in (None, await self._near(question))
        ]
        return [place in alone, *(place in [turn.number for turn in turns] for turns in both)]

    async def _near(self, text: str) -> Near:
        (vector,) = await self._embedder.embed([text])
        return Near(self._embedder.name, vector)


def rows(found: Mapping[str, Sequence[Sequence[bool]]]) -> list[list[str]]:
    """How many of the facts of each kind are recalled in each way, and of all."""
    every = {**found, "all": [each for some in found.values() for each in some]}
    return [
        [f"{kind} ({len(some)})", *(f"{100 * sum(way) / len(some):.1f}" for way in zip(*some, strict=True))]
        for kind, some in every.items()
        if some
    ]


def written(page: str, rows: Sequence[Sequence[str]]) -> str:
    """The page with the measured part put in its place. Raises ValueError where it has no such place."""
    lines = [f"| told | {' | '.join(WAYS)} |", "|---|---:|---:|---:|", *(f"| {' | '.join(row)} |" for row in rows)]
    return page[: page.index(START)] + START + "\n".join(lines) + "\n" + page[page.index(END) :]


if __name__ == "__main__":
    sys.exit(main())
