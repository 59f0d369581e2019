import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ailb.money import NANO
from ailb.prices_listed import IDS, listed
from ailb.rates import Rates
from providers.catalog import ROWS

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
CENT = NANO // 100


def rates(kind: str, model: str, tier: str = "", at: datetime = NOON) -> Rates | None:
    found = listed(kind, None, model)
    assert found is not None
    return found.rates(at, tier)


def test_every_kind_of_the_list_is_one_of_the_catalogues() -> None:
    assert IDS.keys() <= ROWS.keys()


@pytest.mark.parametrize("kind", sorted(IDS))
def test_every_kind_is_in_the_list(kind: str) -> None:
    from genai_prices import data_snapshot

    provider = data_snapshot.get_snapshot().find_provider(None, IDS[kind], None)
    assert provider.id == IDS[kind]
    assert provider.models


@pytest.mark.parametrize(
    ("kind", "base_url", "model"), [("openai", None, "gone"), ("mine", None, "gpt-4o"), ("mine", "https://x.test", "gpt-4o")]
)
def test_what_is_not_in_the_list_is_none(kind: str, base_url: str | None, model: str) -> None:
    assert listed(kind, base_url, model) is None


def test_each_rate_has_its_place() -> None:
    low = Rates(300 * CENT, 1500 * CENT, 30 * CENT, 375 * CENT, 600 * CENT)
    high = Rates(600 * CENT, 2250 * CENT, 60 * CENT, 750 * CENT, 1200 * CENT)
    found = rates("anthropic", "claude-sonnet-4-5")
    assert found is not None
    assert (found.at(200_000).json(), found.tiers) == (found.json(), ((200_000, high),))
    assert replace(found, tiers=()) == low


def test_audio_that_the_list_leaves_out_is_filled_in() -> None:
    expected = Rates(250 * CENT, 1000 * CENT, audio_input=4000 * CENT, audio_output=8000 * CENT)
    assert expected == rates("openai", "gpt-4o-audio-preview")


def test_the_answer_of_a_model_that_draws_costs_what_pictures_cost() -> None:
    assert rates("gemini", "gemini-2.5-flash-image") == Rates(30 * CENT, 3000 * CENT)


def test_a_price_for_each_request() -> None:
    assert rates("perplexity", "sonar") == Rates(NANO, NANO, request=12 * NANO // 1000)


def test_what_is_paid_by_the_hour_has_no_rates() -> None:
    assert rates("openai", "gpt-realtime-translate") is None


def test_a_price_holds_from_its_day_on() -> None:
    before, after = datetime(2025, 6, 9, tzinfo=UTC), datetime(2025, 6, 10, tzinfo=UTC)
    assert rates("openai", "o3", at=before) == Rates(10 * NANO, 40 * NANO, 50 * CENT)
    assert rates("openai", "o3", at=after) == Rates(2 * NANO, 8 * NANO, 50 * CENT)


def test_a_batch_is_half_the_price() -> None:
    whole = rates("openai", "gpt-5")
    assert whole is not None
    assert whole.times(1, 2) == rates("openai", "gpt-5", "batch")


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4o-2024-08-06", "GPT-4o", "gpt-4.1-mini-2025-04-14", "o3-2025-04-16"])
def test_a_model_is_known_by_its_dated_names(model: str) -> None:
    assert listed("openai", None, model) is not None


NO_NETWORK = """
import sys
def deny(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        print(event, args, file=sys.stderr)
        sys.exit(9)
sys.addaudithook(deny)
from ailb.prices_listed import listed
from ailb.tokenizer import Tokenizer
from datetime import datetime, UTC
assert listed("openai", None, "gpt-4o").rates(datetime.now(UTC)).input > 0
assert listed("gemini", None, "gone") is None
assert Tokenizer().counted("hello world") == 2
"""


def test_nothing_touches_the_network() -> None:
    done = subprocess.run([sys.executable, "-c", NO_NETWORK], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


LOADED = """
import sys
from ailb.prices_listed import load
assert "genai_prices" not in sys.modules
load()
assert "genai_prices" in sys.modules
"""


def test_it_is_read_when_it_is_wanted_and_not_before() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
