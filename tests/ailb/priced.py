"""Prices worked out by hand. Each case: who, the model, the usage as that provider sends it, and nano-dollars; the working is beside it,
in tokens × the published dollars per million, which makes millionths of a dollar.

Sources, as of November 2026: platform.openai.com/docs/pricing, docs.claude.com/en/docs/about-claude/pricing,
ai.google.dev/gemini-api/docs/pricing, api-docs.deepseek.com/quick_start/pricing, docs.x.ai/docs/models, mistral.ai/pricing,
groq.com/pricing, cohere.com/pricing, docs.perplexity.ai/getting-started/pricing, fireworks.ai/pricing, together.ai/pricing.
"""

from typing import Any, Final


def chat(
    given: int, made: int, *, cached: int = 0, written: int = 0, reasoning: int = 0, audio_in: int = 0, audio_out: int = 0
) -> dict[str, Any]:
    """As OpenAI counts: everything inside."""
    return {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": given + made,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written, "audio_tokens": audio_in},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": audio_out,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def rest(given: int, said: int, thought: int, *, cached: int = 0, audio_in: int = 0) -> dict[str, Any]:
    """As xAI and Gemini's compatible endpoint count: reasoning outside of the completion, only the total has it."""
    details = {"cached_tokens": cached, "audio_tokens": audio_in}
    return {
        "prompt_tokens": given,
        "completion_tokens": said,
        "total_tokens": given + said + thought,
        "prompt_tokens_details": details,
    }


def hit(given: int, made: int, *, hit: int, reasoning: int = 0) -> dict[str, Any]:
    """As DeepSeek counts: the prompt is what hit the cache and what missed it."""
    return {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": given + made,
        "prompt_cache_hit_tokens": hit,
        "prompt_cache_miss_tokens": given - hit,
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def claude(given: int, made: int, *, read: int = 0, write_5m: int = 0, write_1h: int = 0, thinking: int = 0) -> dict[str, Any]:
    """As Anthropic counts: the cache outside of the input, thinking inside of the output."""
    return {
        "input_tokens": given,
        "cache_creation_input_tokens": write_5m + write_1h,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": write_5m, "ephemeral_1h_input_tokens": write_1h},
        "output_tokens": made,
        "output_tokens_details": {"thinking_tokens": thinking},
        "service_tier": "standard",
    }


CASES: Final[list[tuple[str, str, dict[str, Any], int]]] = [
    ("openai", "gpt-4o", chat(1000, 500), 7_500_000),  # 1000×2.50 + 500×10
    ("openai", "gpt-4o", chat(1000, 500, cached=400), 7_000_000),  # 600×2.50 + 400×1.25 + 500×10
    ("openai", "gpt-4o", chat(1, 0), 2_500),  # 1×2.50
    ("openai", "gpt-4o", chat(0, 0), 0),  # 0×2.50
    ("openai", "gpt-4o-2024-08-06", chat(2006, 300, cached=1920), 5_615_000),  # 86×2.50 + 1920×1.25 + 300×10
    ("openai", "gpt-4o-mini", chat(1000, 1000), 750_000),  # 1000×0.15 + 1000×0.60
    ("openai", "gpt-4o-mini", chat(1, 0, cached=1), 75),  # 1×0.075
    ("openai", "gpt-4.1", chat(1_000_000, 32_768), 2_262_144_000),  # 1000000×2 + 32768×8
    ("openai", "gpt-4.1-mini", chat(3000, 700, cached=2048), 1_705_600),  # 952×0.40 + 2048×0.10 + 700×1.60
    ("openai", "gpt-4.1-nano", chat(7, 3), 1_900),  # 7×0.10 + 3×0.40
    ("openai", "gpt-4-turbo", chat(100, 10), 1_300_000),  # 100×10 + 10×30
    ("openai", "gpt-4", chat(100, 10), 3_600_000),  # 100×30 + 10×60
    ("openai", "gpt-3.5-turbo", chat(100, 10), 65_000),  # 100×0.50 + 10×1.50
    ("openai", "o1", chat(75, 1186, reasoning=1024), 72_285_000),  # 75×15 + 1186×60
    ("openai", "o3", chat(75, 1186, reasoning=1024), 9_638_000),  # 75×2 + 1186×8
    ("openai", "o3-mini", chat(2000, 900, cached=1024, reasoning=832), 5_596_800),  # 976×1.10 + 1024×0.55 + 900×4.40
    ("openai", "o4-mini", chat(2000, 900, cached=1024, reasoning=832), 5_315_200),  # 976×1.10 + 1024×0.275 + 900×4.40
    ("openai", "gpt-5", chat(13_000, 2000, cached=12_800, reasoning=1984), 21_850_000),  # 200×1.25 + 12800×0.125 + 2000×10
    ("openai", "gpt-5", chat(20, 128, reasoning=128), 1_305_000),  # 20×1.25 + 128×10
    ("openai", "gpt-5-mini", chat(1111, 222), 721_750),  # 1111×0.25 + 222×2
    ("openai", "gpt-5-nano", chat(1111, 222), 144_350),  # 1111×0.05 + 222×0.40
    ("openai", "gpt-5.6", chat(10_000, 100, cached=2000, written=3000), 37_800_000),  # 5000×4 + 2000×0.40 + 3000×5 + 100×20
    ("openai", "gpt-5.6", chat(272_000, 100), 1_090_000_000),  # 272000×4 + 100×20
    ("openai", "gpt-5.6", chat(272_001, 100, cached=200_000), 739_008_000),  # 72001×8 + 200000×0.80 + 100×30
    (
        "openai",
        "gpt-4o-audio-preview",
        chat(1100, 1300, audio_in=1000, audio_out=1000),
        123_250_000,
    ),  # 100×2.50 + 1000×40 + 300×10 + 1000×80
    (
        "openai",
        "gpt-4o-mini-audio-preview",
        chat(1100, 1300, audio_in=1000, audio_out=1000),
        30_195_000,
    ),  # 100×0.15 + 1000×10 + 300×0.60 + 1000×20
    ("openai", "gpt-audio", chat(50, 250, audio_in=20, audio_out=200), 14_015_000),  # 30×2.50 + 20×32 + 50×10 + 200×64
    ("openai", "ft:gpt-4o-mini-2024-07-18:acme::B1", chat(100, 10), 42_000),  # 100×0.30 + 10×1.20
    ("openai", "text-embedding-3-small", {"prompt_tokens": 12, "total_tokens": 12}, 240),  # 12×0.02
    ("azure", "gpt-4o", chat(1000, 500, cached=400), 7_000_000),  # 600×2.50 + 400×1.25 + 500×10
    ("azure", "gpt-4o-mini", chat(154, 10, cached=164), 17_550),  # 154×0.075 + 10×0.60
    ("anthropic", "claude-sonnet-4-20250514", claude(1000, 500), 10_500_000),  # 1000×3 + 500×15
    ("anthropic", "claude-sonnet-4-20250514", claude(3, 500, read=16_242), 12_381_600),  # 3×3 + 16242×0.30 + 500×15
    ("anthropic", "claude-sonnet-4-20250514", claude(3, 500, write_5m=2000), 15_009_000),  # 3×3 + 2000×3.75 + 500×15
    ("anthropic", "claude-sonnet-4-20250514", claude(3, 500, write_1h=2000), 19_509_000),  # 3×3 + 2000×6 + 500×15
    (
        "anthropic",
        "claude-sonnet-4-20250514",
        claude(3, 500, read=100, write_5m=2000, write_1h=700),
        19_239_000,
    ),  # 3×3 + 100×0.30 + 2000×3.75 + 700×6 + 500×15
    (
        "anthropic",
        "claude-sonnet-4-20250514",
        {"input_tokens": 5, "cache_creation_input_tokens": 900, "output_tokens": 7},
        3_495_000,
    ),  # 5×3 + 900×3.75 + 7×15
    ("anthropic", "claude-sonnet-4-5", claude(200_000, 1000), 615_000_000),  # 200000×3 + 1000×15
    ("anthropic", "claude-sonnet-4-5", claude(200_001, 1000), 1_222_506_000),  # 200001×6 + 1000×22.50
    ("anthropic", "claude-sonnet-4-5", claude(1, 1000, read=200_000), 142_506_000),  # 1×6 + 200000×0.60 + 1000×22.50
    (
        "anthropic",
        "claude-sonnet-4-5",
        claude(1, 1000, read=100_000, write_1h=100_000),
        1_282_506_000,
    ),  # 1×6 + 100000×0.60 + 100000×12 + 1000×22.50
    ("anthropic", "claude-opus-4-1", claude(10, 2000, thinking=1500), 150_150_000),  # 10×15 + 2000×75
    ("anthropic", "claude-opus-4-5", claude(10, 2000, read=4000, write_5m=100), 52_675_000),  # 10×5 + 4000×0.50 + 100×6.25 + 2000×25
    ("anthropic", "claude-haiku-4-5", claude(333, 77, read=1, write_5m=1, write_1h=1), 721_350),  # 333×1 + 1×0.10 + 1×1.25 + 1×2 + 77×5
    ("anthropic", "claude-3-5-haiku-latest", claude(1000, 100), 1_200_000),  # 1000×0.80 + 100×4
    ("anthropic", "claude-3-haiku-20240307", claude(1000, 100), 375_000),  # 1000×0.25 + 100×1.25
    ("gemini", "gemini-2.5-pro", rest(35, 12, 62), 783_750),  # 35×1.25 + 74×10
    ("gemini", "gemini-2.5-pro", rest(200_000, 100, 0), 251_000_000),  # 200000×1.25 + 100×10
    ("gemini", "gemini-2.5-pro", rest(200_001, 100, 900), 515_002_500),  # 200001×2.50 + 1000×15
    ("gemini", "gemini-2.5-pro", rest(200_001, 100, 900, cached=150_000), 177_502_500),  # 50001×2.50 + 150000×0.25 + 1000×15
    ("gemini", "gemini-2.5-flash", rest(1000, 0, 50), 425_000),  # 1000×0.30 + 50×2.50
    ("gemini", "gemini-2.5-flash", rest(1000, 20, 0, cached=500), 215_000),  # 500×0.30 + 500×0.03 + 20×2.50
    ("gemini", "gemini-2.5-flash", rest(1000, 20, 0, audio_in=320), 574_000),  # 680×0.30 + 320×1 + 20×2.50
    ("gemini", "gemini-2.5-flash-lite", rest(1000, 20, 100), 148_000),  # 1000×0.10 + 120×0.40
    ("gemini", "gemini-3-pro-preview", rest(200_001, 1, 1), 800_040_000),  # 200001×4 + 2×18
    ("deepseek", "deepseek-chat", hit(1000, 200, hit=0), 490_000),  # 1000×0.27 + 200×1.10
    ("deepseek", "deepseek-chat", hit(1000, 200, hit=960), 298_000),  # 40×0.27 + 960×0.07 + 200×1.10
    ("deepseek", "deepseek-reasoner", hit(1000, 700, hit=64, reasoning=600), 2_056_760),  # 936×0.55 + 64×0.14 + 700×2.19
    ("deepseek", "deepseek-v4-pro", hit(1000, 700, hit=64, reasoning=600), 2_005_168),  # 936×0.66 + 64×0.022 + 700×1.98
    ("xai", "grok-3-mini", rest(32, 9, 94, cached=5), 59_975),  # 27×0.30 + 5×0.075 + 103×0.50
    ("xai", "grok-4", rest(700, 1, 300, cached=680), 5_085_000),  # 20×3 + 680×0.75 + 301×15
    ("xai", "grok-4-fast-reasoning", rest(700, 1, 300), 290_500),  # 700×0.20 + 301×0.50
    ("xai", "grok-code-fast-1", rest(700, 10, 0, cached=128), 131_960),  # 572×0.20 + 128×0.02 + 10×1.50
    ("xai", "grok-4.5", rest(200_000, 10, 5), 800_180_000),  # 200000×4 + 15×12
    ("mistral", "mistral-large-2411", chat(100, 20), 320_000),  # 100×2 + 20×6
    ("mistral", "codestral-latest", chat(100, 20), 48_000),  # 100×0.30 + 20×0.90
    ("mistral", "magistral-medium-latest", chat(100, 20), 300_000),  # 100×2 + 20×5
    ("mistral", "ministral-8b-latest", chat(100, 20), 18_000),  # 100×0.15 + 20×0.15
    ("groq", "llama-3.3-70b-versatile", chat(100, 20), 74_800),  # 100×0.59 + 20×0.79
    ("groq", "llama-3.1-8b-instant", chat(100, 20), 6_600),  # 100×0.05 + 20×0.08
    ("groq", "openai/gpt-oss-120b", chat(100, 20, cached=64, reasoning=15), 22_200),  # 36×0.15 + 64×0.075 + 20×0.60
    ("cohere", "command-a-03-2025", chat(100, 20), 450_000),  # 100×2.50 + 20×10
    ("cohere", "command-r-plus-08-2024", chat(100, 20), 450_000),  # 100×2.50 + 20×10
    ("cohere", "command-r-08-2024", chat(100, 20), 27_000),  # 100×0.15 + 20×0.60
    ("cohere", "command-r7b-12-2024", chat(1, 1), 188),  # 1×0.0375 + 1×0.15
    ("perplexity", "sonar", chat(10, 300), 12_310_000),  # 10×1 + 300×1 + 12000×1
    ("perplexity", "sonar-pro", chat(10, 300), 18_530_000),  # 10×3 + 300×15 + 14000×1
    (
        "perplexity",
        "sonar-deep-research",
        {"prompt_tokens": 33, "completion_tokens": 7163, "total_tokens": 7196, "citation_tokens": 20016, "reasoning_tokens": 73995},
        319_387_000,
    ),  # 33×2 + 20016×2 + 7163×8 + 73995×3
    ("cerebras", "llama3.1-8b", chat(100, 20), 12_000),  # 100×0.10 + 20×0.10
    ("openrouter", "anthropic/claude-sonnet-4.5", chat(1000, 20, cached=900, written=50), 907_500),  # 50×3 + 900×0.30 + 50×3.75 + 20×15
    ("openrouter", "openai/gpt-4o", chat(355, 20, cached=361), 643_750),  # 355×1.25 + 20×10
    ("fireworks", "accounts/fireworks/models/gpt-oss-120b", chat(100, 20), 27_000),  # 100×0.15 + 20×0.60
    ("echo", "echo", chat(100, 20), 0),  # 0×1
    ("ollama", "llama3", chat(100, 20), 0),  # 0×1
    ("vllm", "Qwen/Qwen3-8B", chat(100, 20), 0),  # 0×1
]
