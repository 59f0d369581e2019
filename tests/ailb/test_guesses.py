import asyncio
from collections import Counter

import pytest

from ailb.errors import InvalidKey, RateLimited, Unavailable
from ailb.guesses import MOST_ADDRESSES, MOST_RIGHT, MOST_WRONG, Guesses, network
from ailb.testing import StillClock

GOOD = "good"


class Door:
    """Keys that begin with "good" are right. `seen` are those that were judged."""

    def __init__(self) -> None:
        self.clock = StillClock()
        self.guesses = Guesses(self.clock)
        self.seen: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.lost: str | None = None

    async def tried(self, given: str, address: str = "10.0.0.1") -> str:
        async def judge() -> str:
            self.seen.append(given)
            await self.open.wait()
            if self.lost == given:
                raise Unavailable("the store is not available")
            if not given.startswith(GOOD):
                raise InvalidKey("Invalid API key")
            return "in"

        try:
            return await self.guesses.judged(given, judge, lambda: address)
        except (InvalidKey, Unavailable) as refusal:
            return str(refusal.status)
        except RateLimited as refusal:
            assert refusal.message.startswith("Rate limit exceeded")
            return f"429 {refusal.headers['retry-after']}"

    async def bad(self, number: int, address: str = "10.0.0.1", word: str = "bad") -> Counter[str]:
        return Counter([await self.tried(f"{word}-{n}", address) for n in range(number)])


async def test_wrong_keys_are_judged_twenty_times_a_second() -> None:
    door = Door()
    assert {"401": MOST_WRONG, "429 1": 980} == await door.bad(1000)
    assert MOST_WRONG == len(door.seen)
    door.clock.advance(0.99)
    assert {"429 1": 10} == await door.bad(10)
    door.clock.advance(0.01)
    assert {"401": MOST_WRONG, "429 1": 10} == await door.bad(MOST_WRONG + 10)


async def test_no_second_has_more_wherever_it_begins() -> None:
    door, judged = Door(), list[float]()
    for _ in range(400):
        if "401" == await door.tried("bad"):
            judged.append(door.clock.monotonic())
        door.clock.advance(0.013)
    assert max(sum(at <= other < at + 1 for other in judged) for at in judged) <= MOST_WRONG
    assert len(judged) > 4 * MOST_WRONG


async def test_those_that_come_at_once_are_no_more() -> None:
    door = Door()
    door.open.clear()
    trials = [asyncio.ensure_future(door.tried(f"bad-{n}")) for n in range(200)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert MOST_WRONG == len(door.seen)
    door.open.set()
    assert {"401": MOST_WRONG, "429 1": 180} == Counter(await asyncio.gather(*trials))
    assert MOST_WRONG == len(door.seen)


async def test_many_right_keys_that_nobody_knows_yet_only_wait_for_each_other() -> None:
    door = Door()
    assert {"in": 500} == Counter(await asyncio.gather(*(door.tried(f"{GOOD}-{n}") for n in range(500))))
    mixed = [door.tried(f"{GOOD}-more-{n}") if n % 2 else door.tried(f"bad-{n}") for n in range(20)]
    assert {"in": 10, "401": 10} == Counter(await asyncio.gather(*mixed))


async def test_a_key_that_was_right_is_judged_whatever_else_comes_from_there() -> None:
    door = Door()
    assert "in" == await door.tried(GOOD)
    await door.bad(1000)
    assert ("in", "429 1") == (await door.tried(GOOD), await door.tried(f"{GOOD}-but-new"))
    door.clock.advance(1)
    assert "in" == await door.tried(f"{GOOD}-but-new")


async def test_a_key_that_is_right_no_more_counts_as_wrong_from_then_on() -> None:
    door = Door()
    guesses, right = door.guesses, True

    async def judge() -> str:
        if not right:
            raise InvalidKey("Invalid API key")
        return "in"

    assert "in" == await guesses.judged("revoked", judge, lambda: "10.0.0.1")
    right = False
    for _ in range(MOST_WRONG):
        with pytest.raises(InvalidKey):
            await guesses.judged("revoked", judge, lambda: "10.0.0.1")
    with pytest.raises(RateLimited):
        await guesses.judged("revoked", judge, lambda: "10.0.0.1")


async def test_what_nobody_could_judge_counts_as_nothing() -> None:
    door = Door()
    door.lost = "bad-lost"
    assert ["503"] * 50 == [await door.tried("bad-lost") for _ in range(50)]
    assert {"401": MOST_WRONG, "429 1": 1} == await door.bad(MOST_WRONG + 1)


async def test_whoever_is_cancelled_makes_room() -> None:
    door = Door()
    door.open.clear()
    trials = [asyncio.ensure_future(door.tried(f"bad-{n}")) for n in range(MOST_WRONG)]
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(door.tried(GOOD))
    for trial in trials:
        trial.cancel()
    await asyncio.gather(*trials, return_exceptions=True)
    door.open.set()
    assert "in" == await waiting


async def test_each_address_has_its_own_count_and_few_are_remembered() -> None:
    door = Door()
    await door.bad(MOST_WRONG + 1, "10.0.0.1")
    assert ("429 1", "401") == (await door.tried("bad", "10.0.0.1"), await door.tried("bad", "10.0.0.2"))
    for number in range(MOST_ADDRESSES + 10):
        await door.tried("bad", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    for number in range(MOST_RIGHT + 10):
        await door.tried(f"{GOOD}-{number}")
    assert (MOST_ADDRESSES, MOST_RIGHT) == (len(door.guesses._places), len(door.guesses._right))


async def test_no_secret_is_kept() -> None:
    door = Door()
    await door.tried(GOOD)
    assert [int] == [type(mark) for mark in door.guesses._right]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "", True),
        ("unix:", "unix:", True),
        ("a:b", "a:c", False),
    ],
)
def test_who_counts_as_one(one: str, other: str, same: bool) -> None:
    assert same is (network(one) == network(other))
