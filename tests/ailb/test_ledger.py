import pytest

from ailb.ledger import Charge, Hold, Intent
from ailb.usage import Usage

INTENT = Intent("req_1", 1, "ann", None, "fake", "m", "m", None, prompt_tokens=10, output_tokens=20)


@pytest.mark.parametrize(
    ("said", "field"), [(INTENT, "output_tokens"), (Hold("h", INTENT, 5, 30, 20), "nanos"), (Charge("complete", Usage(), 5), "nanos")]
)
def test_what_was_said_about_money_cannot_be_changed(said: object, field: str) -> None:
    with pytest.raises(AttributeError):
        setattr(said, field, 0)


def test_an_intent_asks_for_one_choice_and_takes_a_single_token_if_there_is_no_more() -> None:
    assert (1, 1, None) == (INTENT.choices, INTENT.least_tokens, INTENT.session_id)
