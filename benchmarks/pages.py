"""docs/benchmarks.md, in sections: each is written by a run of its own, and leaves the others alone."""

import re
from pathlib import Path

from benchmarks.children import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"


def put(section: str, text: str, page: Path = PAGE) -> None:
    """Replaces what is between the section's marks, or adds it at the end of the page, with marks around."""
    opening, closing = f"<!-- begin: {section} -->", f"<!-- end: {section} -->"
    block = f"{opening}\n{text.strip()}\n{closing}\n"
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    found = re.search(f"{re.escape(opening)}\n.*?{re.escape(closing)}\n", old, re.DOTALL)
    new = f"{old[: found.start()]}{block}{old[found.end() :]}" if found else f"{old}\n{block}".lstrip("\n")
    page.write_text(new, encoding="utf-8")
