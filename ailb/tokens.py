"""How many tokens a prompt has, at most: an upper bound that costs microseconds, and what an exact counter looks like.

A byte-level BPE, as OpenAI's, Anthropic's, Meta's and Mistral's are, never makes more tokens than there are bytes, and JSON is never
shorter than the text in it. So the length of the request's JSON is a bound of its text; the names of its members pay for what a
provider puts around each message (OpenAI: 3 tokens and the name).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from ailb import strict
from ailb.prompt import Prompt

FIXED: Final = 1024
"""For what a provider puts before every prompt: Anthropic up to 735 tokens where there are tools, xAI some 700 always.
Source: https://docs.claude.com/en/docs/agents-and-tools/tool-use/overview#pricing"""

IMAGE: Final = 16_384
"""Tokens of an image, whatever its size: 10,000 patches × 1.62 at OpenAI (`detail: "original"` of a mini model), 4,784 at Anthropic, 2,240
at Gemini. Sources: https://platform.openai.com/docs/guides/images-vision#calculating-costs,
https://docs.claude.com/en/docs/build-with-claude/vision#calculate-image-costs"""

IMAGE_4O_MINI: Final = 48_169
"""The same at gpt-4o-mini, which counts 2,833 and 5,667 for each of at most 8 tiles."""

CHARACTERS: Final = 16
"""Base64 characters for a token of sound or film. The densest is Gemini's sound, 32 tokens a second, in which 8 kbit/s are 1,333."""

PAGES: Final = 8192
"""On top of a token for each base64 character of a document: each page is given as text and as a picture, and a short file may hold one."""

REFERENCE: Final = 1_000_000
"""What stands behind an address or an id may be as long as the model can read. `Prices.context` says it closer."""

_IMAGES: Final = frozenset({"image_url", "image", "input_image"})
_FILMS: Final = frozenset({"input_audio", "audio", "audio_url", "video", "video_url", "input_video"})
_FILES: Final = frozenset({"file", "input_file", "document", "file_url", "document_url"})
_MARK = re.compile(rb'"type":"(?:image|input_|audio|video|file|document)')
"""What no JSON text can have in it, since a quote in a text is escaped."""

_INLINE: Final = (b";base64,", b'"type":"base64"', b'"type":"text"')


class Counter(Protocol):
    """An exact counter, which takes longer and much memory. A service: layers ask for it by this type."""

    async def count(self, text: str, model: str = "") -> int:
        """The tokens of a text, as that model would count them."""

    async def count_prompt(self, prompt: Prompt, model: str = "") -> int:
        """The tokens of all that the model is given; rather too many than too few, and never more than `bound`."""


def bound(prompt: Prompt, model: str = "") -> int:
    """The input tokens of a prompt, at most; `model` is the upstream's name. Microseconds, unless images lie in it."""
    raw = strict.dumps(prompt.body)
    tokens = len(raw) + FIXED
    if _MARK.search(raw) or (prompt.dialect == "ollama" and b'"images":[' in raw):
        tokens += sum(_tokens(part, model) - _size(part) for part in media(prompt.body))
    return tokens


def media(body: Any) -> Iterator[Mapping[str, Any] | str]:
    """What in a request is no text: parts of a message in OpenAI's or Anthropic's shape, and Ollama's images, which are base64."""
    if isinstance(body, list):
        for item in body:
            yield from media(item)
    elif isinstance(body, dict):
        if isinstance(body.get("type"), str) and body["type"] in _IMAGES | _FILMS | _FILES:
            yield body
            return
        for name, value in body.items():
            if name == "images" and isinstance(value, list):
                yield from (image for image in value if isinstance(image, str))
            else:
                yield from media(value)


def media_tokens(body: Any, model: str) -> int:
    """What `bound` takes for all of them."""
    return sum(_tokens(part, model) for part in media(body))


def _tokens(part: Mapping[str, Any] | str, model: str) -> int:
    kind = "image" if isinstance(part, str) else part["type"]
    if kind in _IMAGES:
        return IMAGE_4O_MINI if "4o-mini" in model else IMAGE
    if kind == "input_audio" or any(mark in strict.dumps(part) for mark in _INLINE):
        return _size(part) + PAGES if kind in _FILES else _size(part) // CHARACTERS + 64
    return REFERENCE


def _size(part: Any) -> int:
    return len(strict.dumps(part))
