"""What the events of a stream say."""

from benchmarks.server import text_of
from benchmarks.upstream import stream_events


def test_the_text_of_a_stream_does_not_depend_on_how_it_is_cut() -> None:
    merged = b'data: {"choices":[{"delta":{"content":"The quick "}}]}\n\ndata: {"choices":[]}\n\ndata: [DONE]\n\n'
    apart = b'data: {"choices":[{"delta":{"role":"assistant"}},{"delta":{"content":"The "}}]}\n\n'
    apart += b'data: {"choices":[{"delta":{"content":"quick "}}]}\n\n'
    assert text_of(merged) == text_of(apart) == "The quick "
    assert text_of(b"".join(stream_events())).startswith("The quick brown fox ")
