"""What reading documents needs, and may not be there."""

from importlib.util import find_spec
from typing import Final

PACKAGES: Final = ("bs4", "markdownify", "pypdf", "semantic_text_splitter")


def lacking() -> str:
    """What to do about it; empty where nothing is."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    return f"reading documents needs {' and '.join(missing)}: pip install 'ailb[rag]'" if missing else ""
