from contextlib import nullcontext

import pytest

from ailb.errors import Forbidden, InvalidKey
from ailb.keys import NO_KEYS, Key, sent


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
    key = Key("key-1", "ann", allowed_models=allowed)
    assert may is key.allows_model(model)
    with nullcontext() if may else pytest.raises(Forbidden, match=f"^this key may not use the model {model}$"):
        key.check_model(model)


@pytest.mark.parametrize(("allowed", "may"), [(None, True), ((), False), (("docs",), True), (("d*",), False)])
def test_a_list_of_collections_has_names_only(allowed: tuple[str, ...] | None, may: bool) -> None:
    assert may is Key("key-1", "ann", allowed_collections=allowed).allows_collection("docs")


async def test_without_a_store_no_key_is_good() -> None:
    assert await NO_KEYS.find("sk-ailb_" + "a" * 43) is None


class OneKey:
    async def find(self, secret: str) -> Key | None:
        return Key("key-1", "ann") if secret == "sk-ailb_good" else None


async def test_a_virtual_key_is_good_or_refused_and_anything_else_is_none() -> None:
    assert Key("key-1", "ann") == await sent("sk-ailb_good", OneKey())
    assert [None, None, None] == [await sent(given, OneKey()) for given in ("", "sk-other", "none")]
    for given in ("sk-ailb_bad", "sk-ailb_", "sk-ailb_\xe9"):
        with pytest.raises(InvalidKey, match=r"^Invalid API key$"):
            await sent(given, OneKey())
