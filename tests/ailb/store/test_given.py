import gc
from weakref import ref

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ArgumentError

from ailb.store.given import given

STATEMENT = text("SELECT :name, :number")


def test_the_values_are_the_parameters() -> None:
    assert {"name": "ann", "number": 7} == given(STATEMENT, name="ann", number=7).compile().params
    assert {"name": None, "number": None} == STATEMENT.compile().params


def test_a_parameter_that_is_not_there_is_refused() -> None:
    with pytest.raises(ArgumentError, match="other"):
        given(STATEMENT, other=1)


def test_nothing_of_it_waits_for_the_collector() -> None:
    gc.disable()
    try:
        made = given(STATEMENT, name="ann", number=7)
        made.compile()
        parameters = [ref(parameter) for parameter in made._bindparams.values()]
        del made
        assert [None, None] == [parameter() for parameter in parameters]
    finally:
        gc.enable()
