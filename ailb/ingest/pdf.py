"""The text of a PDF, page by page."""

import io
import logging
from typing import Final

from pypdf import PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError, PyPdfError

_BROKEN: Final = (PyPdfError, KeyError, TypeError, AttributeError, IndexError, RuntimeError, ZeroDivisionError)
"""What a reader meets in broken files."""


def pages(content: bytes, most: int) -> tuple[str, list[str]]:
    """Title and texts. Raises ValueError, saying what is wrong with it."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it says a word about every broken detail, and then reads on
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise ValueError("is encrypted")
        count = len(reader.pages)
        if count > most:
            raise ValueError(f"has {count} pages, and may have {most}")
        title = str((reader.metadata and reader.metadata.title) or "").strip()
        texts = [page.extract_text() for page in reader.pages]
    except (DependencyError, FileNotDecryptedError):
        raise ValueError("is encrypted") from None
    except _BROKEN as problem:
        raise ValueError(f"is a broken PDF: {problem or type(problem).__name__}") from None
    if not any(text.strip() for text in texts):
        raise ValueError("has no text: its pages are pictures")
    return title, texts
