from ailb.errors import Unavailable
from ailb.exchange import Outcome
from ailb.metrics import Metrics
from ailb.metrics_memory import ACTIVE_SECONDS
from ailb.tally import Shared
from tests.ailb.test_metrics import samples, served


def counted(metrics: Metrics, **notes: str) -> None:
    exchange = served()
    exchange.notes |= notes
    metrics.request(exchange, Outcome("complete", 200, 0.1))


def test_requests_without_their_memory_are_counted_in_all_processes() -> None:
    shared = Shared(2)
    one, two = (Metrics(shared.tally(seat)) for seat in (0, 1))
    counted(one, memory="unavailable")
    counted(two, memory="unavailable")
    counted(two)
    assert [2, 2] == [samples(each)["ailb_memory_unavailable_total"] for each in (one, two)]


async def test_the_store_is_asked_how_many_sessions_are_in_use() -> None:
    numbers: list[int | None] = [3, None]

    async def active(seconds: float) -> int:
        assert seconds == ACTIVE_SECONDS
        number = numbers.pop(0)
        if number is None:
            raise Unavailable("the store is down")
        return number

    metrics = Metrics()
    await metrics.memories.look()
    found = [samples(metrics)["ailb_active_sessions"]]
    metrics.memories.asked = active
    for _ in range(2):
        await metrics.memories.look()
        found.append(samples(metrics)["ailb_active_sessions"])
    assert [0, 3, 3] == found
