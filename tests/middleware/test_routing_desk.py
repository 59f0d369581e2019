from ailb.health import Healths
from ailb.models import Models
from ailb.testing import StillClock
from ailb.testing_money import FixedPrices, WordCounter
from middleware.routing_candidates import Known
from middleware.routing_desk import MOST_MODELS, Desk
from middleware.routing_manners import Manners
from middleware.strategies import STRATEGIES


def desk() -> Desk:
    manners = Manners("random", STRATEGIES["random"], "", 0, False)
    known = Known(Models({}), Healths(), FixedPrices(), manners)
    return Desk(known, FixedPrices(), WordCounter(), StillClock(), 10, 10.0)


def test_requests_are_counted_for_each_model() -> None:
    counting = desk()
    assert [1, 2, 1, 3] == [counting.turn(model) for model in ("a", "a", "b", "a")]


def test_made_up_models_do_not_fill_the_memory() -> None:
    counting = desk()
    assert {1} == {counting.turn(str(number)) for number in range(MOST_MODELS + 10)}
    assert len(counting._numbers) <= MOST_MODELS
