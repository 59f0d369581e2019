"""The failures of real providers, heard through the gateway by the clients' real SDKs: as without it, and never as an answer."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.e2e.faces import typed
from tests.e2e.replay import NEEDS_WIRE, Json, Recording, Rig, recordings, rig
from tests.e2e.sdks import MOUNT, SDKS, Heard

pytestmark = NEEDS_WIRE

FAULTS = [fault for endpoint in SDKS for fault in recordings(endpoint, folder="_reported")]
SPOKEN = [recordings("chat.completions", "openai"), recordings("messages", "anthropic"), recordings("api.chat")]
CUT = [max((r for r in recorded if r.stream), key=lambda r: len(r.text)) for recorded in SPOKEN if recorded]
"""The longest stream of each dialect."""

AT_ONCE = "_reported/anthropic/200-stream-overloaded-first-event.json"


Asked = tuple[Recording, bool]
"""A fault, and whether a stream is asked for."""

Answers = dict[tuple[str, bool], Heard]
"""By the fault's file, and whether it was a stream."""


@pytest.fixture(scope="module", params=["hypercorn", "uvicorn"])
def wire(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(request.param, tmp_path_factory.mktemp("wire"), [*FAULTS, *CUT]) as wire:
        yield wire


def test_a_client_of_the_providers_dialect(wire: Rig) -> None:
    """The exception, what was heard before it, and the headers that say when to come again."""
    heard = {key: answer for endpoint in SDKS for key, answer in through(wire, endpoint, of(endpoint)).items()}
    plain = {key: answer for endpoint in SDKS for key, answer in directly(wire, endpoint, of(endpoint)).items()}
    known = plain.pop((AT_ONCE, True)), heard.pop((AT_ONCE, True))
    assert plain == heard
    assert {key: answer.headers for key, answer in plain.items()} == {key: answer.headers for key, answer in heard.items()}
    # The stream had not begun, so the gateway can still answer with the status that the error means.
    assert known[0].failure is not None
    assert replace(known[0].failure, kind="OverloadedError", status=529) == known[1].failure


@pytest.mark.parametrize("endpoint", SDKS)
def test_a_client_of_another_dialect(endpoint: str, wire: Rig) -> None:
    """The same status, message and headers. A stream that has begun has no status any more, but it still fails."""
    others = [(fault, stream) for other in SDKS if other != endpoint for fault, stream in of(other) if fails(fault)]
    heard = through(wire, endpoint, others)
    expected = {(fault.file, stream): (status(fault, endpoint), message(fault)) for fault, stream in others}
    assert expected == {key: answer.failure and (answer.failure.status, answer.failure.message) for key, answer in heard.items()}


@pytest.mark.parametrize(("endpoint", "other"), [("chat.completions", "messages"), ("messages", "chat.completions")])
def test_the_waiting_times_are_told_in_every_dialect(endpoint: str, other: str, wire: Rig) -> None:
    """But to Ollama's SDK, which shows no headers."""
    refused = [(fault, stream) for fault, stream in of(other) if fault.status >= 400]
    plain, heard = directly(wire, other, refused), through(wire, endpoint, refused)
    assert {key: answer.headers for key, answer in plain.items()} == {key: answer.headers for key, answer in heard.items()}
    assert any("retry-after" in answer.headers for answer in heard.values())


@pytest.mark.parametrize("endpoint", SDKS)
@pytest.mark.parametrize("part", [0.02, 0.5, 0.98])
def test_a_stream_that_is_cut_does_not_end_well(endpoint: str, part: float, wire: Rig) -> None:
    for recording in CUT:
        wire.upstream.cut(recording, int(part * len(recording.text)))
        (heard,) = through(wire, endpoint, [(recording, True)]).values()
        assert heard.failure is not None
        assert part < 0.9 or heard.objects


def of(endpoint: str) -> list[Asked]:
    """Each fault, whole and streamed; those that came with status 200 as they came."""
    both = {fault: (False, True) if fault.status >= 400 else ("stream" in fault.features,) for fault in FAULTS}
    return [(fault, stream) for fault, streams in both.items() if fault.endpoint == endpoint for stream in streams]


def through(wire: Rig, endpoint: str, faults: list[Asked]) -> Answers:
    ask = SDKS[endpoint](wire.url + MOUNT[endpoint])
    return {(fault.file, stream): ask(question(f"{fault.key}/m", stream), {}) for fault, stream in faults}


def directly(wire: Rig, endpoint: str, faults: list[Asked]) -> Answers:
    ask = SDKS[endpoint](wire.direct.url("/any"))
    heard = {(fault.file, stream): ask(question("m", stream), {"x-replay-file": fault.file}) for fault, stream in faults}
    if endpoint != "chat.completions":
        return heard
    return {key: replace(answer, failure=answer.failure and typed(answer.failure)) for key, answer in heard.items()}


def question(model: str, stream: bool) -> Json:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream, "max_tokens": 9}


def fails(fault: Recording) -> bool:
    return fault.status >= 400 or "stream" in fault.features


def status(fault: Recording, endpoint: str) -> int | None:
    """What an SDK has for the status of an error that came after the stream's first event."""
    if fault.file == AT_ONCE:
        return 529
    return fault.status if fault.status >= 400 else {"chat.completions": None, "messages": 200, "api.chat": -1}[endpoint]


def message(fault: Recording) -> str:
    error = next((body["error"] for body in fault.objects if "error" in body), None) or fault.objects[0]
    return error if isinstance(error, str) else str(error["message"])
