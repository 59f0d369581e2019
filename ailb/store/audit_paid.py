"""What the database says was spent, to be compared with what a running gateway says."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, literal, select

from ailb.store.audit import Amount, one_instant
from ailb.store.database import Database
from ailb.store.schema import ENTRIES, PROCESSES, SPEND


@dataclass(frozen=True, slots=True)
class Paid:
    """As of one instant. `users` has, for each user or for everybody under "", what was ever spent by provider."""

    users: Mapping[str, Mapping[str, Amount]]
    running: Mapping[str, int] | None
    """Nano-dollars by provider since the gateway started; None where not exactly one is alive."""


async def paid(database: Database, *, by_user: bool) -> Paid:
    """Raises Unavailable."""
    user = SPEND.c.user_id if by_user else literal("")
    sums = [func.sum(SPEND.c[name]) for name in ("nanos", "tokens", "requests")]
    spend = select(user.label("user"), SPEND.c.provider, *sums).group_by("user", SPEND.c.provider).order_by("user", SPEND.c.provider)
    users: dict[str, dict[str, Amount]] = {} if by_user else {"": {}}
    async with one_instant(database) as connection:
        for who, provider, *amounts in (await connection.execute(spend)).all():
            users.setdefault(who, {})[provider] = Amount(*map(int, amounts))
        started = (await connection.scalars(select(PROCESSES.c.started_at))).all()
        if len(started) != 1:
            return Paid(users, None)
        attempts = select(ENTRIES.c.provider, func.sum(ENTRIES.c.nanos)).where(ENTRIES.c.kind == "attempt", ENTRIES.c.at >= started[0])
        running = (await connection.execute(attempts.group_by(ENTRIES.c.provider))).all()
        return Paid(users, {provider: int(nanos) for provider, nanos in running})
