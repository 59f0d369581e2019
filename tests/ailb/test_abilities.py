from typing import Any

import pytest

from ailb.abilities import IMAGES, JSON_SCHEMA, TOOLS, needed
from ailb.clients.messages_prompt import MessagesPrompt
from ailb.prompt import Prompt

PICTURE = {"type": "image_url", "image_url": {"url": "data:,"}}
TOOL = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("body", "needs"),
    [
        ({}, []),
        ({"tools": []}, []),
        ({"tools": [TOOL]}, [TOOLS]),
        ({"functions": [{"name": "f"}]}, [TOOLS]),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, PICTURE]}]}, [IMAGES]),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, "odd"]}]}, []),
        ({"messages": [{"role": "user"}]}, []),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, [JSON_SCHEMA]),
        ({"response_format": {"type": "json_object"}}, []),
        ({"response_format": "odd"}, []),
        ({"tools": [TOOL], "messages": [{"role": "user", "content": [PICTURE]}]}, [TOOLS, IMAGES]),
    ],
)
def test_what_a_request_needs(body: dict[str, Any], needs: list[str]) -> None:
    assert needs == list(needed(Prompt({"model": "m", "messages": [{"role": "user", "content": "Hi"}], **body}, {})))


FILE = {"type": "image", "source": {"type": "file", "file_id": "f"}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}


@pytest.mark.parametrize(
    ("body", "needs"),
    [
        ({"tools": [SEARCH]}, [TOOLS]),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, FILE]}]}, [IMAGES]),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [FILE]}]}]}, [IMAGES]),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "odd"}]}], "tools": [SEARCH]}, [TOOLS]),
        ({"messages": [{"role": "user", "content": [{"type": "document", "source": FILE["source"]}]}]}, []),
    ],
)
def test_what_only_anthropic_can_answer_is_looked_at_as_it_is(body: dict[str, Any], needs: list[str]) -> None:
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], **body}
    assert needs == list(needed(MessagesPrompt(asked, {})))
