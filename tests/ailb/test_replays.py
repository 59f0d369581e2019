from dataclasses import FrozenInstanceError

import pytest

from ailb.replays import Claim, Replays, Stored
from ailb.testing_replays import MemoryReplays


def test_what_is_claimed_and_what_is_stored_cannot_be_changed() -> None:
    for said, field in ((Claim("ann", "a", b"1"), "name"), (Stored(done=True), "reply")):
        with pytest.raises(FrozenInstanceError):
            setattr(said, field, None)


async def test_replays_are_told_of_as_the_protocol_has_it() -> None:
    replays: Replays = MemoryReplays()
    claim = Claim("ann", "a", b"1")
    assert (None, Stored(done=False)) == (await replays.begin(claim, 60), await replays.begin(claim, 60))
