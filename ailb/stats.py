"""How the targets did, over all processes: what `/api/routing/stats` tells. Times are milliseconds."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ailb.attempts import FAILED, FIRST, FIRST_AT, KIND, LATENCY, LATENCY_AT, REQUESTS, WIDTH, last_errors
from ailb.breaker import State
from ailb.health import standing, worse
from ailb.tally import Tally
from ailb.turns import in_turns


@dataclass(slots=True)
class Seen:
    """Of a target, or of all targets of a provider together. `numbers` are a row of `ailb.attempts`; `error` is the last one's Unix time
    and what it was.
    """

    numbers: list[int] = field(default_factory=lambda: [0] * WIDTH)
    in_flight: int = 0
    circuit: State = "closed"
    error: tuple[float, str] = (0.0, "")

    def add(self, other: "Seen") -> None:
        self.numbers = [left + right for left, right in zip(self.numbers, other.numbers, strict=True)]
        self.in_flight += other.in_flight
        self.circuit = worse(self.circuit, other.circuit)
        self.error = max(self.error, other.error)

    def plain(self) -> dict[str, Any]:
        """None where there was nothing to measure."""
        requests, (at, said) = self.numbers[REQUESTS], self.error
        return {
            "requests": requests,
            "success_rate": share(requests - self.numbers[FAILED], requests),
            "avg_latency_ms": _rounded(LATENCY.mean(self.numbers, LATENCY_AT)),
            "p50_latency_ms": _rounded(LATENCY.percentile(self.numbers, LATENCY_AT, 0.50)),
            "p95_latency_ms": _rounded(LATENCY.percentile(self.numbers, LATENCY_AT, 0.95)),
            "avg_ttft_ms": _rounded(FIRST.mean(self.numbers, FIRST_AT)),
            "in_flight": self.in_flight,
            "circuit": self.circuit,
            "last_error": said or None,
            "last_error_at": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if said else None,
        }


async def providers(tally: Tally, configured: Iterable[tuple[str, str]], now: float) -> dict[str, Any]:
    """By their names. `configured` are providers and models that are there although nobody may have asked them, with an empty model for a
    provider alone. `now`: monotonic seconds.
    """
    seen: defaultdict[str, defaultdict[str, Seen]] = defaultdict(lambda: defaultdict(Seen))
    for provider, model in configured:
        if model:
            seen[provider][model]
        else:
            seen[provider]
    async for (kind, *name), numbers in tally.walk():
        if kind == KIND:
            seen[name[0]][name[1]].numbers = numbers
    async for (provider, model), (in_flight, circuit) in in_turns((await standing(tally, now)).items()):
        seen[provider][model].in_flight, seen[provider][model].circuit = in_flight, circuit
    for (provider, model), error in (await last_errors(tally)).items():
        seen[provider][model].error = error
    return {provider: await _provider(models) for provider, models in seen.items()}


def share(good: int, requests: int) -> float:
    """1 as long as there was none."""
    return good / requests if requests else 1.0


async def _provider(models: dict[str, Seen]) -> dict[str, Any]:
    together, told = Seen(), {}
    async for model, seen in in_turns(models.items()):
        together.add(seen)
        told[model] = seen.plain()
    return {**together.plain(), "models": told}


def _rounded(millis: float | None) -> float | None:
    return None if millis is None else round(millis, 1)
