import pytest
import structlog

from ailb.embed_none import NoEmbedder
from ailb.errors import Unavailable


async def test_without_a_model_that_is_said_once_and_nothing_is_embedded() -> None:
    with structlog.testing.capture_logs() as lines:
        async with NoEmbedder() as none:
            assert ("", None) == (none.name, none.dimension)
            with pytest.raises(Unavailable, match=r"embed\.embedder"):
                await none.embed(["a"])
    assert [("none", 'embed.embedder = "none"')] == [(line["embedder"], line["reason"]) for line in lines]


async def test_one_that_cannot_be_asked_now_keeps_its_name() -> None:
    with pytest.raises(Unavailable, match="openai is off"):
        await NoEmbedder("openai is off", "openai/small").embed(["a"])
    assert "openai/small" == NoEmbedder("openai is off", "openai/small").name
