"""A wall clock for a test to set: libfaketime tells its time to those processes that the test chooses."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


class Wall:
    """A process that is started with `env` believes in it. `file` is the clock's own. Nobody sets the steady clock: that one stays."""

    def __init__(self, file: Path, at: datetime) -> None:
        if LIBRARY is None:
            pytest.skip("libfaketime is not installed")
        self._file = file
        self._ahead = at - datetime.now(UTC)
        self._tell()
        self.env: Mapping[str, str] = {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",  # a jump is seen at the very next look
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # else it waits too long for a lock by that clock, such as Python's own
            "NO_FAKE_STAT": "1",
        }

    def jump(self, by: timedelta) -> None:
        """Ahead, or back where it is negative."""
        self._ahead += by
        self._tell()

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def _tell(self) -> None:
        """Whoever looks meanwhile sees the time before, or the one after."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{self._ahead.total_seconds():+.6f}\n")
        os.replace(new, self._file)
