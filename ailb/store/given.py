"""Values for the parameters of a statement."""

from typing import Any

from sqlalchemy import TextClause, bindparam


def given(statement: TextClause, **values: Any) -> TextClause:
    """As `statement.bindparams(**values)`, which copies each parameter, and a copy holds on to itself: eight objects of each value wait for
    the collector, of 4,000 questions with ten values so many that it took 0.2 s to take them away.
    """
    return statement.bindparams(*(bindparam(name, value) for name, value in values.items()))
