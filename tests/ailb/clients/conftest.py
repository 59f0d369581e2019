"""The two fronts that SDKs are pointed at."""

from collections.abc import Iterator

import pytest

from ailb.clients.chat import Chat
from ailb.clients.messages import Messages
from tests.ailb.clients.front import Front, serving


@pytest.fixture
def chat_front() -> Iterator[Front]:
    with serving(Chat()) as front:
        yield front


@pytest.fixture
def messages_front() -> Iterator[Front]:
    with serving(Messages()) as front:
        yield front
