"""A gateway with documents, as small as it can be: what `ailb rag` asks for, in memory."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import orjson

PATH = re.compile(r"/api/rag/collections(?:/([^/]+)(?:(/search)|/documents(?:/(.+?)(/chunks)?)?)?)?")


class Library:
    """`embedder` is that of new collections. `busy`: how many requests are answered with 503 first. `refuses`: statuses by document."""

    def __init__(self, embedder: str | None = None) -> None:
        self.embedder = embedder
        self.collections: dict[str, dict[str, Any]] = {}
        self.documents: dict[str, dict[str, Any]] = {}
        self.seen: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.busy = 0
        self.refuses: dict[str, int] = {}
        self.url = ""

    def writes(self) -> list[str]:
        """Paths of what changed something, from the collection on."""
        return [f"{method} {path.removeprefix('/api/rag/collections/')}" for method, path in self.seen if method in ("PUT", "DELETE")]

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        self.seen.append((method, unquote(path)))
        if self.busy:
            self.busy -= 1
            return 503, {"detail": "busy"}
        match = PATH.fullmatch(path)
        assert match is not None, target
        name, search, document, chunks = unquote(match[1] or ""), match[2], unquote(match[3] or "") or query.get("id", [""])[0], match[4]
        if not name:
            return self._all(method, body)
        if name not in self.collections:
            return 404, {"detail": "no such collection"}
        if search:
            return 200, {"passages": [{"document": "a.md", "page": 2, "heading": "A", "score": 0.5, "text": body["query"] * body["top_k"]}]}
        if document:
            return self._one(name, document, chunks, body)
        if method == "DELETE":
            del self.collections[name]
            return 204, None
        if "/documents" in path:
            listed = list(self.documents.values())
            first = int(target.rpartition("offset=")[2])
            return 200, {"documents": listed[first : first + 2], "total": len(listed)}  # pages are short, whatever was asked for
        return 200, self.collections[name]

    def _all(self, method: str, body: Any) -> tuple[int, Any]:
        if method == "POST":
            counts = {"documents": 0, "chunks": 0, "created_at": "2026-01-01T00:00:00Z"}
            self.collections[body["name"]] = {"shared": False, "embedder": self.embedder, **counts, **body}
            return 201, self.collections[body["name"]]
        return 200, {"collections": list(self.collections.values()), "total": len(self.collections)}

    def _one(self, name: str, id: str, chunks: str | None, body: Any) -> tuple[int, Any]:
        if id in self.refuses:
            return self.refuses[id], {"detail": f"{id}: no"}
        if not chunks:
            return (204, None) if self.documents.pop(id, None) else (404, {"detail": "no such document"})
        there = self.documents.setdefault(id, {"id": id, "pieces": [], "updated_at": "2026-01-01T00:00:00Z"})
        assert 0 < len(body["chunks"]) <= 64
        pieces = there["pieces"][: body["first"]]
        assert len(pieces) == body["first"]
        pieces += body.pop("chunks")
        there.update(body, pieces=pieces, chunks=len(pieces))
        return 200, {"chunks": len(pieces)}


@contextmanager
def serving(library: Library) -> Iterator[Library]:
    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers["content-length"] or 0)
            body = orjson.loads(self.rfile.read(length)) if length else None
            library.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, said = library.answer(self.command, self.path, body)
            answer = b"" if said is None else orjson.dumps(said)
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any

        def log_message(self, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    library.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield library
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
