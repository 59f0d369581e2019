import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.clients.messages_prompt import MessagesPrompt
from ailb.clients.ollama_prompt import OllamaPrompt
from ailb.prompt import Prompt
from ailb.tokenizer import Tokenizer
from ailb.tokens import CHARACTERS, FIXED, IMAGE, IMAGE_4O_MINI, PAGES, REFERENCE, bound

COUNTER = Tokenizer()
DATA = base64.b64encode(bytes(range(256)) * 4096).decode()
URL = "https://example.com/a.bin"


def chat(*content: Any, **more: Any) -> Prompt:
    return Prompt({"model": "m", "messages": [{"role": "user", "content": part} for part in content], **more}, {})


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


@given(st.lists(st.text(), min_size=1), st.text())
def test_no_text_has_more_tokens_than_the_bound(texts: list[str], described: str) -> None:
    prompt = chat(*texts, tools=[{"type": "function", "function": {"name": "f", "description": described}}])
    tokens = sum(COUNTER.counted(text) for text in (*texts, described))
    assert tokens + 4 * len(texts) + 3 <= bound(prompt) - FIXED


@pytest.mark.parametrize(
    "text", ["a" * 1000, "你好" * 300, "👩‍👩‍👧" * 50, '\x00\x01\n\t\\"' * 100, " " * 1000, '"type":"image"' * 20, "0" * 1000]
)
def test_the_bound_of_a_text_is_its_bytes_and_a_little(text: str) -> None:
    assert len(text.encode()) <= bound(chat(text)) - FIXED <= len(json.dumps(text)) + 100
    assert bound(chat(text, metadata={"more": "x" * 50})) > bound(chat(text))


@pytest.mark.parametrize(
    ("part", "least", "most"),
    [
        (image(f"data:image/png;base64,{DATA}"), IMAGE, IMAGE),
        (image(URL), IMAGE, IMAGE),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}}, IMAGE, IMAGE),
        ({"type": "image", "source": {"type": "url", "url": URL}}, IMAGE, IMAGE),
        ({"type": "input_audio", "input_audio": {"data": DATA, "format": "mp3"}}, len(DATA) // CHARACTERS, len(DATA) // CHARACTERS + 100),
        (
            {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{DATA}"}},
            len(DATA) // CHARACTERS,
            len(DATA) // CHARACTERS + 100,
        ),
        ({"type": "video_url", "video_url": {"url": URL}}, REFERENCE, REFERENCE),
        ({"type": "file", "file": {"file_data": f"data:application/pdf;base64,{DATA}"}}, len(DATA), len(DATA) + PAGES + 100),
        ({"type": "file", "file": {"file_id": "file-1"}}, REFERENCE, REFERENCE),
        ({"type": "document", "source": {"type": "base64", "data": DATA}}, len(DATA), len(DATA) + PAGES + 100),
        ({"type": "document", "source": {"type": "text", "data": "x" * 5000}}, 5000, 5000 + PAGES + 100),
        ({"type": "document", "source": {"type": "url", "url": URL}}, REFERENCE, REFERENCE),
        ({"type": "tool_result", "content": [image(URL), image(URL)]}, 2 * IMAGE, 2 * IMAGE + 100),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_text_counts_by_its_kind(part: dict[str, Any], least: int, most: int) -> None:
    around = bound(chat([{"type": "text", "text": "What?"}]))
    tokens = bound(chat([{"type": "text", "text": "What?"}, part]))
    assert least <= tokens - around <= most + 2


def test_gpt_4o_mini_counts_images_its_own_way() -> None:
    prompt = chat([image(URL)])
    assert bound(prompt, "gpt-4o-mini") - bound(prompt, "gpt-4o") == IMAGE_4O_MINI - IMAGE


def test_other_dialects_have_their_own_shapes() -> None:
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}}
    said = [{"role": "user", "content": [block]}]
    messages = MessagesPrompt({"model": "m", "max_tokens": 9, "system": "x" * 500, "messages": said}, {})
    assert IMAGE + 500 + FIXED <= bound(messages) <= IMAGE + 500 + FIXED + 200
    ollama = OllamaPrompt({"model": "m", "messages": [{"role": "user", "content": "What?", "images": [DATA, DATA]}]}, {})
    assert 2 * IMAGE + FIXED <= bound(ollama) <= 2 * IMAGE + FIXED + 200


def test_a_tool_may_be_called_what_an_image_is() -> None:
    tool = {"type": "function", "function": {"name": "image", "parameters": {"type": "object", "properties": {"type": {"type": "string"}}}}}
    assert bound(chat("Hi", tools=[tool])) < FIXED + 300
