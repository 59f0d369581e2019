"""PDFs written by hand, as small as they can be."""

import zlib
from collections.abc import Sequence
from functools import cache


def pdf(texts: Sequence[str], *, title: str = "", stream: bytes | None = None, flate: bool = False) -> bytes:
    """A page for each text. `stream` is what stands on each page in place of it, deflated with `flate`."""
    count = len(texts)
    kids = " ".join(f"{4 + 2 * place} 0 R" for place in range(count))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    deflated = cache(lambda shown: zlib.compress(shown, 9))
    for place, text in enumerate(texts):
        lines = " ".join(f"({line}) Tj T*" for line in text.split("\n"))
        shown = stream if stream is not None else f"BT /F1 12 Tf 14 TL 72 720 Td {lines} ET".encode("cp1252")
        packed = deflated(shown) if flate else shown
        length = f"/Length {len(packed)}{' /Filter /FlateDecode' if flate else ''}"
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * place} 0 R"
        objects.append(f"{page} /Resources << /Font << /F1 3 0 R >> >> >>".encode())
        objects.append(f"<< {length} >>\nstream\n".encode() + packed + b"\nendstream")
    info = f" /Info {len(objects) + 1} 0 R" if title else ""
    if title:
        objects.append(f"<< /Title ({title}) >>".encode("cp1252"))
    return _file(objects, info)


def _file(objects: Sequence[bytes], info: str) -> bytes:
    body, offsets = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, one)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % at for at in offsets)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R{info} >>\nstartxref\n{len(body)}\n%%EOF\n".encode()
    return body + table + trailer
