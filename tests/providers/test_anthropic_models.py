"""What a model's name tells."""

import pytest

from providers.anthropic_models import abilities


@pytest.mark.parametrize(
    ("model", "max_tokens", "thinking", "sampling", "structured"),
    [
        ("claude-2.1", 4096, "none", True, False),
        ("claude-3-haiku-20240307", 4096, "none", True, False),
        ("claude-3-5-sonnet-20241022", 8192, "none", True, False),
        ("claude-3-5-haiku-latest", 8192, "none", True, False),
        ("claude-3-7-sonnet-20250219", 32_000, "budget", True, False),
        ("claude-sonnet-4-0", 32_000, "budget", True, False),
        ("claude-sonnet-4-20250514", 32_000, "budget", True, False),
        ("claude-opus-4-1-20250805", 32_000, "budget", True, False),
        ("claude-haiku-4-5-20251001", 32_000, "budget", True, True),
        ("us.anthropic.claude-opus-4-6-v1", 32_000, "adaptive", True, True),
        ("anthropic/claude-sonnet-4.6", 32_000, "adaptive", True, True),
        ("claude-opus-4-8", 32_000, "adaptive", False, True),
        ("claude-sonnet-5", 32_000, "adaptive", False, True),
        ("claude-mythos-preview", 32_000, "adaptive", False, True),
        ("kimi-k2", 8192, "budget", True, False),
    ],
)
def test_a_name_tells_what_the_model_takes(model: str, max_tokens: int, thinking: str, sampling: bool, structured: bool) -> None:
    able = abilities(model)
    assert (max_tokens, thinking, sampling, structured) == (able.max_tokens, able.thinking, able.sampling, able.structured)


@pytest.mark.parametrize(
    ("model", "quiet"),
    [
        ("claude-opus-4-8", "omit"),
        ("claude-opus-5", "disable"),
        ("claude-opus-5-5", "lowest"),
        ("claude-fable-5", "lowest"),
        ("claude-mythos-5-2", "lowest"),
        ("claude-haiku-5-5", "lowest"),
    ],
)
def test_how_a_model_is_told_not_to_think(model: str, quiet: str) -> None:
    assert quiet == abilities(model).quiet
