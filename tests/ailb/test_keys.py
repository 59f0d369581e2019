import pytest

from ailb.keys import NO_KEYS, Key


@pytest.mark.parametrize(
    ("allowed", "model", "may"),
    [
        (None, "gpt-4", True),
        ((), "gpt-4", False),
        (("gpt-4",), "gpt-4", True),
        (("gpt-4",), "gpt-4o", False),
        (("gpt-*", "claude-3-opus"), "gpt-4o", True),
        (("gpt-*", "claude-3-opus"), "claude-3-haiku", False),
    ],
)
def test_a_list_of_models_may_have_patterns(allowed: tuple[str, ...] | None, model: str, may: bool) -> None:
    assert may is Key("key-1", "ann", allowed_models=allowed).allows_model(model)


@pytest.mark.parametrize(("allowed", "may"), [(None, True), ((), False), (("docs",), True), (("d*",), False)])
def test_a_list_of_collections_has_names_only(allowed: tuple[str, ...] | None, may: bool) -> None:
    assert may is Key("key-1", "ann", allowed_collections=allowed).allows_collection("docs")


async def test_without_a_store_no_key_is_good() -> None:
    assert await NO_KEYS.find("sk-ailb_" + "a" * 43) is None
