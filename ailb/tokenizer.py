"""Counting tokens exactly, with OpenAI's vocabularies, which are in the package `toktok-rs`: nothing is asked over the network.

Loading one takes 0.25 s and 65 MB, so it happens at the first count, on a thread. Any input is counted in linear time, 50 MB a second at
the least.
"""

from collections.abc import Iterator
from math import ceil
from threading import Lock
from typing import Any, Final

from anyio import to_thread

from ailb.prompt import Prompt
from ailb.tokens import FIXED, bound, media, media_tokens

OTHERS: Final = 1.35
"""How many more tokens than o200k another vocabulary may make of a text. Anthropic's make the most, which are not public: up to this
much of English and code, and more of other scripts."""

_OPENAI: Final = ("gpt-", "chatgpt-", "o1", "o3", "o4", "ft:gpt-", "openai/", "text-embedding-3")
_OLD: Final = ("gpt-3.5", "gpt-4-", "text-embedding-")
"""OpenAI's models before gpt-4o have cl100k (https://github.com/openai/tiktoken/blob/main/tiktoken/model.py)."""

_AROUND: Final = 4
"""Tokens around a message or a part of one."""

_FIXED_OPENAI: Final = 64
"""For what OpenAI puts before every prompt and every list of tools."""


class Tokenizer:
    """The `Counter` service. Other providers' vocabularies are not public or not small, so their tokens are o200k's and a margin."""

    def __init__(self) -> None:
        # One count at a time: it is short, and two threads that load a vocabulary would both keep it.
        self._lock = Lock()

    async def count(self, text: str, model: str = "") -> int:
        return await to_thread.run_sync(self.counted, text, model)

    async def count_prompt(self, prompt: Prompt, model: str = "") -> int:
        return await to_thread.run_sync(self._prompt, prompt, model)

    def counted(self, text: str, model: str = "") -> int:
        """As `count`, on this thread. For a model whose vocabulary is not known: o200k's tokens; Anthropic's are more."""
        return ceil(self._tokens([text], model) * (OTHERS if "claude" in model else 1))

    def _prompt(self, prompt: Prompt, model: str) -> int:
        known = model.startswith(_OPENAI)
        texts = list(_texts(prompt.body))
        tokens = self._tokens(texts, model) + _AROUND * len(prompt.body.get("messages", ()))
        tokens = ceil(tokens * (1 if known else OTHERS)) + (_FIXED_OPENAI if known else FIXED)
        return min(tokens + media_tokens(prompt.body, model), bound(prompt, model))

    def _tokens(self, texts: list[str], model: str) -> int:
        encoding = "cl100k_base" if model == "gpt-4" or model.startswith(_OLD) else "o200k_base"
        with self._lock:
            import toktok  # type: ignore[import-untyped]  # here: an idle gateway does not need its 65 MB

            try:
                return sum(toktok.batch_count(texts, encoding, threads=1))
            except UnicodeEncodeError:  # half of a surrogate pair, which an upstream's JSON can have in it
                texts = [text.encode("utf-8", "replace").decode() for text in texts]
                return sum(toktok.batch_count(texts, encoding, threads=1))


def _texts(body: Any) -> Iterator[str]:
    """Every text, name and number in a request, but for images and the like."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, list):
        for item in body:
            yield from _texts(item)
    elif isinstance(body, dict):
        if next(media(body), None) is not body:
            for name, value in body.items():
                yield name
                if name != "images":
                    yield from _texts(value)
    elif body is not None:
        yield str(body)
