import pytest

from middleware.otel_trace import Trace, drawn, traced

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(("flags", "sampled"), [("01", True), ("03", True), ("00", False), ("02", False)])
def test_a_clients_trace_goes_on(flags: str, sampled: bool) -> None:
    trace = traced(f"00-{TRACE}-{SPAN}-{flags}")
    assert (int(TRACE, 16), int(SPAN, 16), sampled) == (trace.id, trace.parent, trace.sampled)
    assert trace.span not in (0, trace.parent)


def test_a_later_version_may_say_more() -> None:
    assert int(TRACE, 16) == traced(f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like").id


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "x",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
    ],
)
def test_what_is_no_traceparent_begins_a_trace_of_its_own(wrong: str) -> None:
    trace = traced(wrong)
    assert (0, True) == (trace.parent, trace.sampled)
    assert trace.id not in (0, int(TRACE, 16))


def test_an_attempt_is_told_the_trace_and_a_span_of_its_own() -> None:
    trace = Trace(int(TRACE, 16), 5)
    one, two = trace.child(), trace.child()
    assert one != two
    assert ["00", TRACE, "01"] == [part for part in one.split("-") if part != one.split("-")[2]]
    assert trace.id == traced(one).id
    assert trace.span != traced(one).parent
    assert not traced(Trace(1, 2, 3, sampled=False).child()).sampled


def test_an_id_is_never_nothing() -> None:
    assert {1} == {drawn(1) for _ in range(64)}
