"""How the budgets stand that would pay for an attempt, for those who only look."""

from ailb.ledger import Intent
from ailb.store.budgets import Budgets
from ailb.store.counters import Budget, Counter
from ailb.store.database import Database
from ailb.store.scopes import scopes, spender


async def seen(database: Database, intent: Intent) -> list[tuple[Budget, Counter]]:
    """In the order in which a hold counts them. Raises Unavailable."""
    budgets = Budgets(database)
    who = spender(intent.user, intent.key_id, intent.provider, intent.model, intent.asked)
    states = [state for scope in scopes(who) for state in await budgets.get(*scope)]
    return [
        (
            Budget(state.id, state.scope, state.scope_id, state.period, state.limit_nanos, state.limit_tokens, state.soft_limit_ppm),
            Counter(state.spent_nanos, state.spent_tokens, state.held_nanos, state.held_tokens),
        )
        for state in states
    ]
