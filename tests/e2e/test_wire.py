"""Recorded conversations of real providers, asked again through the gateway by the clients' real SDKs.

What the SDK hears is compared with what it hears from the provider itself, or with a reading of the recording.
"""

from collections.abc import Iterator

import pytest

from tests.e2e.faces import (
    KNOWN,
    READERS,
    SPEECHES,
    anything,
    as_asked,
    as_heard,
    differences,
    empty,
    from_chat,
    in_chat,
    refused,
    same_dialect,
    unless_equal,
    without_ids,
)
from tests.e2e.replay import NEEDS_WIRE, Recording, Rig, recordings, rig
from tests.e2e.said import chat, gist
from tests.e2e.sdks import SDKS

pytestmark = [NEEDS_WIRE, pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning")]

RECORDED = [*recordings("chat.completions"), *recordings("messages", "anthropic"), *recordings("api.chat")]


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    assert len(RECORDED) > 500
    with rig("hypercorn", tmp_path_factory.mktemp("wire"), RECORDED) as wire:
        yield wire


@pytest.mark.parametrize("endpoint", SDKS)
def test_a_client_of_the_providers_dialect(endpoint: str, wire: Rig) -> None:
    recorded = [recording for recording in RECORDED if recording.endpoint == endpoint]
    assert {} == differences(recorded, same_dialect(wire))
    sent = [recording for recording in recorded if recording.body["messages"]]
    received, given = wire.upstream.asked(sent), wire.direct.asked(sent)
    changed = {r.file: (as_asked(r, given[r.file]), received[r.file]) for r in sent}
    assert {} == {file: both for file, both in changed.items() if both[0] != both[1]}


def test_the_other_engine(tmp_path_factory: pytest.TempPathFactory) -> None:
    with rig("uvicorn", tmp_path_factory.mktemp("wire"), RECORDED[::7]) as wire:
        assert {} == differences(RECORDED[::7], same_dialect(wire))


@pytest.mark.parametrize("endpoint", SPEECHES)
def test_a_client_of_openai_and_a_provider_of_another_dialect(endpoint: str, wire: Rig) -> None:
    """Where the recorded request cannot be said in a chat, something else is asked, for the answer's sake."""
    recorded = [recording for recording in RECORDED if recording.endpoint == endpoint and not empty(recording)]
    asked = {recording.file: in_chat(recording) for recording in recorded}
    ask = SDKS["chat.completions"](wire.url + "/v1")

    def difference(recording: Recording) -> object:
        body = asked[recording.file] or anything(recording)
        heard = ask({**body, "model": f"{recording.key}/{recording.model}"}, {})
        if recording.status >= 400 or heard.failure:
            return unless_equal(refused(recording), heard.failure and (heard.failure.kind, heard.failure.status, heard.failure.message))
        through = chat(heard.objects, stream=recording.stream, strict=True)
        return unless_equal(READERS[endpoint](recording.objects), without_ids(through) if endpoint == "api.chat" else through)

    assert {} == differences(recorded, difference)
    said = [recording for recording in recorded if asked[recording.file]]
    assert len(said) > 0.8 * len(recorded)
    received = wire.upstream.asked(said)
    assert {} == {r.file: (gist(r.body), gist(received[r.file].body)) for r in said if gist(r.body) != gist(received[r.file].body)}


@pytest.mark.parametrize("endpoint", SPEECHES)
def test_a_client_of_another_dialect_and_openai(endpoint: str, wire: Rig) -> None:
    """With the recorded requests that can be said in that dialect."""
    asked = {recording: from_chat(recording, endpoint) for recording in RECORDED if recording.provider == "openai"}
    ask = SDKS[endpoint](wire.url)

    def difference(recording: Recording) -> object:
        heard = ask({"max_tokens": 9, **(asked[recording] or {}), "model": f"{recording.key}/{recording.model}"}, {})
        if recording.status >= 400 or heard.failure:
            return unless_equal(refused(recording)[1:], heard.failure and (heard.failure.status, heard.failure.message))
        return unless_equal(as_heard(recording, endpoint), READERS[endpoint](heard.objects))

    said = [recording for recording, body in asked.items() if body and recording.key not in KNOWN]
    assert len(said) > 80
    assert {} == differences(said, difference)
