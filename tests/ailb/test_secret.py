import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.log import SHORTEST_KEY
from ailb.secret import HIDDEN, LEAST, Secret, scrub, scrubbed

KEYS = [
    "sk-abcdefghijklmnop",
    "sk-proj-abc_DEF-123456",
    "sk-ant-api03-xxxxxxxxxx",
    "sk-ailb_0123456789abcdef",
    "gsk_abcdefghijkl",
    "xai-abcdefghijkl",
    "pplx-abcdefghijkl",
    "hf_abcdefghijkl",
    "AIzaSyA1234567890abcdef",
    "Bearer abc.def-ghi",
    "bearer   dG9rZW4=/+~",
    "sk-abc***************xyz",
    "key-75f11d2191f09c0fe53d718faad829870",
    "key-75F11D2191F09C0FE53D718FAAD82987",
]
VIRTUAL = "key-75f11d2191f09c0fe53d718faad82987"
PLAIN = [
    VIRTUAL,
    f"the key {VIRTUAL} is revoked",
    "risk-assessment-report",
    "a task-oriented model",
    "sk-abc",
    "keyboard",
    "desk_lamp_or_so",
    "gpt-4o-mini",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_in_a_text_is_hidden(key: str) -> None:
    assert f"Incorrect API key provided: {HIDDEN}, sorry" == scrub(f"Incorrect API key provided: {key}, sorry")


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_key_stays(text: str) -> None:
    assert text == scrub(text)


def test_known_secrets_are_hidden_whatever_they_look_like() -> None:
    assert f"a {HIDDEN} b {HIDDEN}" == scrub("a hunter22 b password", Secret("hunter22"), Secret("password"), Secret(""), None)


def test_in_a_json_value_the_names_are_looked_at_too() -> None:
    value = {"a hunter22": ["hunter22", {"b": "hunter22", "n": 1}]}
    assert {f"a {HIDDEN}": [HIDDEN, {"b": HIDDEN, "n": 1}]} == scrubbed(value, Secret("hunter22"))


def test_a_known_secret_that_is_too_short_to_be_one_takes_no_words_apart() -> None:
    assert scrub("too many tokens", Secret("k"), Secret("token")) == "too many tokens"


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("hunter2")
    assert secret.reveal() == "hunter2"
    assert [HIDDEN] * 5 == [repr(secret), str(secret), f"{secret}", f"{secret!r}", "%s" % secret]  # noqa: UP031
    assert "hunter2" not in repr([secret, {"key": secret}])


def test_secrets_compare_by_value_and_with_nothing_else() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert [True, False] == [bool(Secret("a")), bool(Secret(""))]


@given(st.text(st.sampled_from("sk-_bearBEAR .gh1"), max_size=SHORTEST_KEY - 1))
def test_no_text_shorter_than_the_logs_bound_has_a_key(text: str) -> None:
    assert text == scrub(text)


@given(st.text(), st.text(min_size=LEAST))
def test_a_known_secret_never_comes_through(text: str, known: str) -> None:
    if known not in HIDDEN:
        assert known not in scrub(text + known + text, Secret(known)).replace(HIDDEN, "")
