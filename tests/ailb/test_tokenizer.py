import asyncio
import base64
import random
import sys
from signal import SIGKILL
from subprocess import Popen
from threading import active_count
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ailb.prompt import Prompt
from ailb.tokenizer import OTHERS, Tokenizer
from ailb.tokens import FIXED, IMAGE, bound

COUNTER = Tokenizer()
DICE = random.Random(1)


@pytest.mark.parametrize(
    ("text", "model", "expected"),
    [
        # https://github.com/openai/openai-cookbook/blob/main/examples/How_to_count_tokens_with_tiktoken.ipynb
        ("antidisestablishmentarianism", "gpt-4o", 6),
        ("antidisestablishmentarianism", "gpt-4", 6),
        ("2 + 2 = 4", "gpt-4o", 7),
        ("2 + 2 = 4", "gpt-4-turbo", 7),
        ("お誕生日おめでとう", "gpt-4o", 8),
        ("お誕生日おめでとう", "gpt-3.5-turbo", 9),
        ("tiktoken is great!", "gpt-4o", 6),
        ("hello world", "", 2),
        ("", "gpt-4o", 0),
        ("<|endoftext|>", "gpt-4o", 7),  # a text, not the token that it looks like
        ("a\ud800b", "gpt-4o", 3),
    ],
)
def test_known_counts(text: str, model: str, expected: int) -> None:
    assert expected == COUNTER.counted(text, model)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 10**6,
        " " * 10**6,
        "\n" * 10**6,
        " \n" * 500_000,
        "1" * 10**6,
        "!" * 10**6,
        "ab" * 500_000,
        "你" * 300_000,
        "👩‍👩‍👧" * 40_000,
        DICE.randbytes(10**6).translate(b"acgt" * 64).decode(),
        base64.b64encode(DICE.randbytes(750_000)).decode(),
    ],
    ids=lambda text: repr(text[:4]),
)
def test_a_megabyte_of_anything_is_counted_in_no_time(text: str) -> None:
    """20 to 70 ms; what is quadratic takes minutes."""
    began = perf_counter()
    assert 0 < COUNTER.counted(text) <= len(text.encode())
    assert perf_counter() - began < 5


@given(st.text())
def test_no_text_has_more_tokens_than_bytes(text: str) -> None:
    assert COUNTER.counted(text) <= len(text.encode())


def test_what_others_count_is_told_with_a_margin() -> None:
    text = "The quick brown fox jumps over the lazy dog. " * 100
    assert COUNTER.counted(text, "claude-sonnet-4-5") == pytest.approx(COUNTER.counted(text) * OTHERS, abs=1)
    assert COUNTER.counted(text, "llama3") == COUNTER.counted(text)


TOOL = {"type": "function", "function": {"name": "f", "description": "Adds.", "parameters": {"type": "object", "properties": {}}}}
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "You are helpful."},
    {"role": "user", "content": "The quick brown fox jumps over the lazy dog. " * 50},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
    },
    {"role": "tool", "tool_call_id": "1", "content": "2"},
]


async def test_a_prompt_is_counted_close_and_never_below_its_texts() -> None:
    prompt = Prompt({"model": "m", "messages": TALK, "tools": [TOOL], "seed": 7}, {})
    texts = sum(COUNTER.counted(message["content"] or "") for message in TALK)
    counted = await COUNTER.count_prompt(prompt, "gpt-4o")
    assert texts < counted < texts + 200 < bound(prompt, "gpt-4o")
    assert counted < await COUNTER.count_prompt(prompt, "claude-sonnet-4-5") <= bound(prompt)
    assert await COUNTER.count("hello world", "gpt-4o") == 2


@pytest.mark.parametrize(
    ("model", "more", "before"),
    [
        ("echo", {"tools": [TOOL]}, 0),
        ("gpt-4o", {"tools": [TOOL]}, 64),
        ("claude-sonnet-4-5", {}, 64),
        ("claude-sonnet-4-5", {"tools": [TOOL]}, FIXED),
        ("claude-sonnet-4-5", {"response_format": {"type": "json_object"}}, FIXED),
        ("grok-4", {}, FIXED),
    ],
)
def test_what_a_provider_puts_before_a_prompt_is_counted_too(model: str, more: dict[str, Any], before: int) -> None:
    prompt = Prompt({"model": "m", "messages": [{"role": "user", "content": "Say hello to me"}], **more}, {})
    assert before <= COUNTER._prompt(prompt, model) < before + 100


@given(st.text(), st.sampled_from(["gpt-4o", "gpt-4o-mini", "claude-3-haiku", "llama3"]))
def test_a_count_is_never_above_the_bound(text: str, model: str) -> None:
    parts = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    prompt = Prompt({"model": "m", "messages": [{"role": "user", "content": parts}]}, {})
    counted = COUNTER._prompt(prompt, model)
    assert IMAGE < counted <= bound(prompt, model)


async def test_counts_at_the_same_time_take_one_thread() -> None:
    fresh, before = Tokenizer(), active_count()
    assert [2] * 20 == await asyncio.gather(*(fresh.count("hello world") for _ in range(20)))
    assert active_count() <= before + 1


async def test_a_count_that_was_given_up_confuses_no_other_one() -> None:
    fresh = Tokenizer()
    given_up = [asyncio.create_task(fresh.count("one two three four")) for _ in range(3)]
    await asyncio.sleep(0)
    for task in given_up:
        task.cancel()
    assert [1, 2] == [await fresh.count(text) for text in ("hello", "hello world")]


def test_nothing_is_started_before_it_is_asked_for() -> None:
    fresh = Tokenizer()
    bound(Prompt({"model": "m", "messages": TALK}, {}))
    assert fresh._apart._process is None


def test_no_vocabulary_is_loaded_in_this_process() -> None:
    """Its loading would hold everybody's streams."""
    assert COUNTER.counted("hello world") == 2
    assert "toktok" not in sys.modules


@pytest.mark.parametrize("command", [[sys.executable, "-c", "pass"], [sys.executable, "-c", "input()"], ["/nowhere/python"]])
async def test_what_cannot_be_counted_is_told_roughly_and_never_below(command: list[str]) -> None:
    text = "The quick brown fox jumps over the lazy dog. " * 100
    prompt = Prompt({"model": "m", "messages": [{"role": "user", "content": text}]}, {})
    broken = Tokenizer(command)
    with capture_logs() as logs:
        assert COUNTER.counted(text) <= broken.counted(text) <= len(text)
        assert await COUNTER.count_prompt(prompt) <= await broken.count_prompt(prompt) <= bound(prompt)
    assert ["tokens counted roughly"] * 2 == [line["event"] for line in logs]
    assert "quick" not in str(logs)


def test_a_process_that_was_killed_is_replaced() -> None:
    fresh = Tokenizer()
    assert fresh.counted("hello world") == 2
    first = running(fresh)
    first.kill()
    first.wait()
    assert fresh.counted("hello world") == 2
    assert running(fresh).pid != first.pid


def test_the_process_ends_with_who_asked_it() -> None:
    fresh = Tokenizer()
    fresh.counted("hello world")
    process = running(fresh)
    del fresh
    assert process.returncode == -SIGKILL


def test_the_process_knows_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    told = Tokenizer([sys.executable, "-c", "import os; input(); print(int('canary' in str(os.environ)))"])
    assert told.counted("hello world") == 0


def running(tokenizer: Tokenizer) -> Popen[bytes]:
    process = tokenizer._apart._process
    assert process is not None
    return process
