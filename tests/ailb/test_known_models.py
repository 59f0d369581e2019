import pytest

from ailb.known_models import lacking


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-3.5-turbo", {"images", "json_schema"}),
        ("gpt-3.5-turbo-0125", {"images", "json_schema"}),
        ("gpt-4", {"images", "json_schema"}),
        ("gpt-4-turbo", {"json_schema"}),
        ("gpt-4-turbo-preview", {"images", "json_schema"}),
        ("gpt-4o-2024-05-13", {"json_schema"}),
        ("gpt-4o", set()),
        ("gpt-4.1", set()),
        ("gpt-4o-mini", set()),
        ("o1", set()),
        ("o1-mini-2024-09-12", {"tools", "images", "json_schema"}),
        ("o3-mini", {"images"}),
        ("o3", set()),
        ("claude-2.1", {"tools", "images"}),
        ("claude-3-haiku-20240307", set()),
        ("llama-3", set()),
        ("my/gpt-3.5-turbo", set()),
        ("", set()),
    ],
)
def test_what_a_model_cannot_do(model: str, expected: set[str]) -> None:
    assert expected == lacking(model)
