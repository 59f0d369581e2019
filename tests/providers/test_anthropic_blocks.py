"""Each kind of content block, told as chunks."""

from providers.anthropic_tools import JSON_TOOL
from tests.providers.anthropic_streams import block, calls_in, decode, deltas, finishes, stream
from tests.providers.anthropic_wire import Json

CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
FIRST: Json = {"type": "input_json_delta", "partial_json": ""}
JSON_CALL = {**CALL, "name": JSON_TOOL}


def test_parallel_calls_have_their_own_index() -> None:
    whole = {"type": "input_json_delta", "partial_json": '{"a":1}'}
    events, _ = decode(stream(block(0, CALL, FIRST, whole), block(1, {**CALL, "id": "toolu_2"}, FIRST), reason="tool_use"))
    assert calls_in(events) == [("toolu_1", "f", '{"a":1}'), ("toolu_2", "f", "{}")]
    assert finishes(events) == ["tool_calls"]


def test_an_input_that_came_with_the_start_is_not_lost() -> None:
    events, _ = decode(stream(block(0, {**CALL, "input": {"a": [1]}}), reason="tool_use"))
    assert calls_in(events) == [("toolu_1", "f", '{"a":[1]}')]


def test_a_call_that_the_limit_cut_stays_length() -> None:
    events, _ = decode(stream(block(0, CALL, FIRST, {"type": "input_json_delta", "partial_json": '{"a'}), reason="max_tokens"))
    assert calls_in(events) == [("toolu_1", "f", '{"a')]
    assert finishes(events) == ["length"]


def test_a_client_of_functions_hears_one_function_call() -> None:
    data = stream(block(0, CALL, FIRST), block(1, {**CALL, "id": "toolu_2"}, FIRST), reason="tool_use")
    events, _ = decode(data, functions=[{"name": "f"}])
    assert deltas(events)[1:-1] == [{"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "{}"}}]
    assert finishes(events) == ["function_call"]


def test_the_tool_that_stands_for_json_is_the_text() -> None:
    fragments = [{"type": "input_json_delta", "partial_json": part} for part in ("", '{"a"', ": 1}")]
    events, _ = decode(stream(block(0, JSON_CALL, *fragments), reason="tool_use"))
    assert "".join(event.text for event in events) == '{"a": 1}'
    assert finishes(events) == ["stop"]


def test_thinking_is_told_as_it_comes_and_handed_out_signed() -> None:
    thoughts = [{"type": "thinking_delta", "thinking": part} for part in ("hm", "m")]
    signed = {"type": "signature_delta", "signature": "sig=="}
    redacted = {"type": "redacted_thinking", "data": "xyz"}
    start = {"type": "thinking", "thinking": "", "signature": ""}
    events, _ = decode(stream(block(0, start, *thoughts, signed), block(1, redacted)))
    assert [
        {"reasoning_content": "hm"},
        {"reasoning_content": "m"},
        {"thinking_blocks": [{"type": "thinking", "thinking": "hmm", "signature": "sig==", "index": 0}]},
        {"thinking_blocks": [{**redacted, "index": 1}]},
    ] == deltas(events)[1:-1]


def test_citations_are_told_behind_their_text() -> None:
    web = {"type": "web_search_result_location", "url": "https://a.example", "title": "A", "cited_text": "t", "encrypted_index": "x"}
    page = {"type": "page_location", "document_index": 0}
    cited = [{"type": "citations_delta", "citation": citation} for citation in (web, page)]
    text = {"type": "text", "text": "", "citations": []}
    events, _ = decode(stream(block(0, {**text, "text": "ab"}), block(1, text, *cited, {"type": "text_delta", "text": "cde"})))
    place = {"start_index": 2, "end_index": 5}
    annotation = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A", **place}}
    told = [{"annotations": [{**annotation, "index": 0}]}, {"citations": [{**page, **place, "index": 0}]}]
    assert told == deltas(events)[-3:-1]
