"""HTML to Markdown."""

from typing import Final

from bs4 import BeautifulSoup
from bs4.dammit import EncodingDetector
from markdownify import MarkdownConverter

from ailb.ingest.text import MARKS, decoded

_UNSEEN: Final = ("script", "style", "noscript", "template", "svg", "iframe", "object", "embed", "title")


def markdown(content: bytes) -> tuple[str, str]:
    """Title and text. What no reader sees is left out.

    Raises ValueError for what is no text or nested too deeply.
    """
    soup = BeautifulSoup(_text(content), "html.parser")
    title = " ".join(soup.title.get_text().split()) if soup.title else ""
    for tag in soup(_UNSEEN):
        tag.decompose()
    try:
        text = MarkdownConverter(heading_style="ATX", strip=["img"], bullets="-").convert_soup(soup)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    return title, text


def _text(content: bytes) -> str:
    """In the encoding that the page says, unless its bytes say another one."""
    said = EncodingDetector.find_declared_encoding(content, is_html=True)
    if said and not content.startswith(MARKS):
        try:
            return content.decode(said)
        except (LookupError, UnicodeDecodeError):
            pass  # many pages say what they are not
    return decoded(content)
