import pytest

from ailb.dialect import Target
from ailb.errors import BadRequest, UpstreamRefusal, UpstreamSilent
from ailb.exchange import Attempt, Exchange, Reply
from ailb.stack import Innermost, Next, stack
from ailb.testing import TARGET, answers, ask, run


class Named:
    """Notes that it was there, going in and coming out."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name = name
        self.seen = seen

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        self.seen.append(f"{self.name} in")
        reply = await call_next(exchange)
        self.seen.append(f"{self.name} out")
        return reply


class Answering:
    """A provider."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    async def __call__(self, exchange: Exchange, attempt: Attempt) -> Reply:
        if self.failures:
            raise self.failures.pop(0)
        return await answers("Hi")(exchange)


async def test_the_first_layer_is_the_outermost() -> None:
    seen: list[str] = []
    result = await run([Named("a", seen), Named("b", seen)], ask(), answers("Hi"))
    assert ["a in", "b in", "b out", "a out"] == seen
    assert result.text == "Hi"


async def test_without_layers_the_innermost_is_all() -> None:
    innermost = answers("Hi")
    assert stack([], innermost) is innermost


async def test_a_layer_that_refuses_keeps_the_inner_ones_from_being_asked() -> None:
    class Refusing:
        async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
            raise BadRequest("no")

    seen: list[str] = []
    result = await run([Refusing(), Named("inner", seen)], ask(), answers("Hi"))
    assert (400, []) == (result.outcome.http_status, seen)


async def test_the_innermost_asks_the_targets_provider_and_keeps_the_record() -> None:
    exchange = ask()
    exchange.target = TARGET
    await Innermost({"fake": Answering()})(exchange)
    assert [(TARGET, 200, None)] == [(a.target, a.status, a.error) for a in exchange.attempts]
    attempt = exchange.attempts[0]
    assert attempt.first_event is not None
    assert attempt.first_event >= attempt.started


@pytest.mark.parametrize("failure", [UpstreamRefusal(429, "slow down"), UpstreamSilent("refused")])
async def test_a_failed_attempt_is_on_record(failure: UpstreamRefusal | UpstreamSilent) -> None:
    exchange = ask()
    exchange.target = TARGET
    with pytest.raises(type(failure)):
        await Innermost({"fake": Answering(failure)})(exchange)
    assert [(failure.status, failure.message, None, failure)] == [(a.status, a.error, a.first_event, a.failure) for a in exchange.attempts]


async def test_a_provider_that_cannot_say_the_request_is_on_record_too() -> None:
    exchange = ask()
    exchange.target = TARGET
    refusal = BadRequest("no word for it")
    with pytest.raises(BadRequest):
        await Innermost({"fake": Answering(refusal)})(exchange)
    assert [(None, None, refusal)] == [(a.status, a.error, a.failure) for a in exchange.attempts]


async def test_hooks_are_asked_before_every_attempt_and_may_wait() -> None:
    seen: list[tuple[str, Target, int]] = []
    exchange = ask()
    exchange.target = TARGET

    async def waits(attempt: Attempt) -> None:
        seen.append(("waits", attempt.target, attempt.number))

    exchange.on_attempt(lambda attempt: seen.append(("plain", attempt.target, attempt.number)))
    exchange.on_attempt(waits)
    innermost = Innermost({"fake": Answering(UpstreamSilent("x"))})
    with pytest.raises(UpstreamSilent):
        await innermost(exchange)
    await innermost(exchange)
    assert [("plain", TARGET, 1), ("waits", TARGET, 1), ("plain", TARGET, 2), ("waits", TARGET, 2)] == seen


async def test_a_hook_that_refuses_prevents_the_attempt() -> None:
    exchange = ask()
    exchange.target = TARGET

    def refuse(attempt: Attempt) -> None:
        raise BadRequest("too dear")

    exchange.on_attempt(refuse)
    with pytest.raises(BadRequest):
        await Innermost({"fake": Answering()})(exchange)
    assert exchange.attempts == []


async def test_an_onion_without_routing_says_so() -> None:
    with pytest.raises(LookupError, match="routing"):
        await Innermost({})(ask())


async def test_of_a_dry_exchange_the_hooks_are_asked_and_no_provider() -> None:
    exchange = ask()
    exchange.target, exchange.dry = TARGET, True
    agreed: list[Target] = []
    exchange.on_attempt(lambda attempt: agreed.append(attempt.target))
    reply = await Innermost({"fake": Answering(AssertionError("was asked"))})(exchange)
    assert ([TARGET], [], [], None, []) == (
        agreed,
        [batch async for batch in reply],
        exchange.attempts,
        exchange.answered,
        exchange.settlers,
    )


async def test_a_hook_can_refuse_a_dry_exchange() -> None:
    def refuse(attempt: Attempt) -> None:
        raise BadRequest("no")

    exchange = ask()
    exchange.target, exchange.dry = TARGET, True
    exchange.on_attempt(refuse)
    with pytest.raises(BadRequest):
        await Innermost({"fake": Answering()})(exchange)
