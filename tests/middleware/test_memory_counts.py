import pytest

from ailb.testing_money import WordCounter
from ailb.tokenizer import Tokenizer
from middleware.memory_counts import Counts, about


class Seen(WordCounter):
    """Knows what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def count(self, text: str, model: str = "") -> int:
        self.asked.append(text)
        return await super().count(text, model)


async def test_it_is_estimated_until_the_counter_is_loaded_once() -> None:
    counter = Seen()
    counts = Counts(counter)
    assert 3 == await counts.of("one two")
    for _ in range(2):
        await counts.load()
    assert 2 == await counts.of("one two")
    assert ["", "one two"] == counter.asked


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog. " * 20,
        "检索需要特别的分词和排序方法。" * 20,
        "for i in range(10):\n    print(i)\n" * 20,
    ],
)
def test_an_estimate_is_not_far_off(text: str) -> None:
    assert 0.9 < about(text) / Tokenizer().counted(text) < 2
