from collections.abc import Sequence

from ailb.embedding import Embedder, Vector


class Lengths:
    """The simplest one."""

    name = "lengths"
    dimension: int | None = 1

    async def embed(self, texts: Sequence[str], *, user: str = "") -> list[Vector]:
        return [[1.0] for _ in texts]


async def test_anything_that_embeds_is_an_embedder() -> None:
    embedder: Embedder = Lengths()
    assert [[1.0], [1.0]] == await embedder.embed(["a", "b"])
