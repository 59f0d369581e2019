"""A record, for people: a line for each thing that is one, a table for each that are many."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

_DIGITS: Final = 9
"""Behind the point: a nano-dollar is the smallest amount that there is."""

_SHOWN: Final = frozenset({"candidates", "limits", "holds", "memory", "rag", "strategy"})
_REST: Final = "outcome status error latency_ms first_event_ms usage attempts cost notes would refusal"
_ALWAYS: Final = frozenset(f"id at caller path asked stream session_id target {_REST}".split())


def tell(record: Mapping[str, Any], console: Console | None = None) -> None:
    """Of an explained request. What layers of one's own say stands below as it is."""
    out = console or Console(highlight=False, markup=False, soft_wrap=True)
    caller = record["caller"]
    key = f", with the key {caller['key_id']}" if caller["key_id"] else ""
    out.print(f"would {record['would']}")
    if record["refusal"]:
        out.print(f"because {record['refusal']['status_code']}: {record['refusal']['detail']}")
    out.print(f"for {caller['user']}{key}, who asks for {record['asked'] or 'no model'}{', streamed' if record['stream'] else ''}")
    if rag := record.get("rag"):
        out.print(f"documents of {rag['collection']}: {rag['outcome']} in {rag['ms']:.0f} ms, {rag['characters']:,} characters")
    if memory := record.get("memory"):
        out.print(f"conversation {memory['session']}: {_memory(memory)}")
    strategy = record.get("strategy")
    tables = (
        _table(f"targets{f', {strategy}' if strategy else ''}", ("target", "score", "price", "", "why"), _candidates(record)),
        _table("documents", ("", "title", "source", "score", "characters"), _sources(record)),
        _table("limits", ("of", "limit", "left", "takes", "resets in"), _limits(record)),
        _table("holds", ("target", "prompt", "answer", "at worst", ""), _holds(record)),
        _table("budgets", ("target", "budget", "scope", "left", ""), _budgets(record)),
    )
    for table in tables:
        if table.row_count:
            out.print(table)
    for name in sorted(record.keys() - _SHOWN - _ALWAYS):
        out.print(f"{name}: {record[name]}")


def _memory(memory: Mapping[str, Any]) -> str:
    if memory.get("unavailable"):
        return "not to be had"
    last = f"the last {memory['recent']:,} turns ({memory['recent_tokens']:,} tokens)"
    older = f"{memory['recalled']:,} older ({memory['recalled_tokens']:,} tokens)"
    return f"{last}, {older}, {'a' if memory['summary'] else 'no'} summary"


def _table(title: str, columns: Sequence[str], rows: Iterator[Sequence[str]]) -> Table:
    table = Table(*columns, title=title, title_justify="left", title_style="bold")
    for row in rows:
        table.add_row(*row)
    return table


def _candidates(record: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for one in record.get("candidates", ()):
        score = "" if one["score"] is None else f"{one['score']:.4g}"
        yield _target(one), score, _dollars(one["cost_usd"], "unknown"), "kept" if one["kept"] else "dropped", one["reason"]


def _sources(record: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for one in record.get("rag", {}).get("sources", ()):
        yield f"[{one['number']}]", one["title"] or one["document"], one["source"], f"{one['score']:.4g}", f"{one['characters']:,}"


def _limits(record: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for one in record.get("limits", ()):
        left = "" if one["left"] is None else f"{one['left']:,}"
        seconds = "" if one["resets_seconds"] is None else f"{one['resets_seconds']:.0f} s"
        yield one["kind"], f"{one['limit']:,}", left, f"{one['takes']:,}", seconds


def _holds(record: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for one in record.get("holds", ()):
        prompt = f"at most {one['prompt_tokens']:,} tokens"
        times = f"{one['choices']} times " if one["choices"] > 1 else ""
        said = one["refused"] or ("the answer is capped" if one["capped"] else "")
        yield _target(one), prompt, f"at most {times}{one['output_tokens']:,} tokens", _dollars(one["worst_usd"], "unknown"), said


def _budgets(record: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for hold in record.get("holds", ()):
        for one in hold["budgets"]:
            kinds = (_dollars(one["left_usd"], ""), "" if one["left_tokens"] is None else f"{one['left_tokens']:,} tokens")
            said = "refuses" if one["refuses"] else "warns" if one["warning"] else ""
            yield _target(hold), one["id"], one["scope"], ", ".join(filter(None, kinds)), said


def _target(one: Mapping[str, Any]) -> str:
    credential = f" (key {one['credential']})" if one.get("credential") else ""
    return f"{one['provider']}/{one['model']}{credential}"


def _dollars(amount: float | None, nothing: str) -> str:
    if amount is None:
        return nothing
    whole, _, rest = f"{amount:,.{_DIGITS}f}".partition(".")
    return f"${whole}.{rest.rstrip('0').ljust(2, '0')}"
