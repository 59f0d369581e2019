from pathlib import Path

import pytest
from sqlalchemy import URL, text

from ailb.errors import ConfigError
from ailb.secret import Secret
from ailb.store.connections import WAIT_MS, checked, engine, near
from tests.ailb.store.made import made


@pytest.fixture
def url(tmp_path: Path) -> URL:
    return checked(made(tmp_path))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://secret@x/y", "must begin with sqlite"),
        ("sqlite:///ailb.db", "must begin with sqlite"),
        ("nonsense secret", "no database URL"),
        ("sqlite+aiosqlite://", "must name a file"),
        ("sqlite+aiosqlite:///:memory:", "must name a file"),
    ],
)
def test_another_kind_of_database_is_refused(url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        checked(Secret(url))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("patience", [1.0, 25.0])
@pytest.mark.parametrize("writes", [True, False])
async def test_patience_is_how_long_a_lock_is_waited_for(url: URL, writes: bool, patience: float) -> None:
    file = near(url, writes=writes, patience=patience)
    with file.connect() as connection:
        waits = [connection.scalar(text("PRAGMA busy_timeout"))]
    file.dispose()
    driver = engine(url, writes=writes, patience=patience)
    async with driver.connect() as there:
        waits.append(await there.scalar(text("PRAGMA busy_timeout")))
    await driver.dispose()
    assert [WAIT_MS * patience] * 2 == waits
