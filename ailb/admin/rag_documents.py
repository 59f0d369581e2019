"""/api/rag/collections/{name}/documents: what is in a collection, what comes in, and what goes."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ailb.admin.access import JSON, Access, ApiRoute, Principal
from ailb.admin.bodies import checked, raw_of
from ailb.admin.forms import File, files
from ailb.admin.pages import answer
from ailb.admin.rag import ONE, paged, reader, seen, writable
from ailb.admin.rag_bodies import MOST_AT_ONCE, MOST_JSON, NewChunks, NewDocument, NewDocuments, asked_id, document_data
from ailb.errors import BadRequest, BodyTooLarge, Conflict, UnsupportedMedia
from ailb.gateway import Gateway
from ailb.ingest.limits import Limits
from ailb.library import Library
from ailb.store.documents_rows import Collection, Document, Piece, Upload
from ailb.strict import parse

FORM: Final = "multipart/form-data"
SLOW_BYTES: Final = 128 * 1024
"""A larger body is parsed in a thread."""


class RagDocumentPages:
    """The endpoints, each a method."""

    def __init__(self, gateway: Gateway, library: Library) -> None:
        self._gateway = gateway
        self._library = library

    def routes(self, access: Access) -> list[ApiRoute]:
        all, one = f"{ONE}/documents", f"{ONE}/documents/{{id:path}}"
        whole = {"GET": self.page, "POST": self.add, "DELETE": self.delete}
        return [
            access.route(all, whole, read="key", write="key", media=(*JSON, FORM)),
            access.route(f"{one}/chunks", {"PUT": self.put}, read="key", write="key"),
            access.route(one, {"DELETE": self.delete}, read="key", write="key"),
        ]

    async def page(self, request: Request, principal: Principal) -> Response:
        """Raises BadRequest, NotFound."""
        limit, offset = paged(request)
        found = await seen(self._library, request, principal)
        documents, total = await self._library.documents.documents(found, limit=limit, offset=offset)
        return answer({"documents": [document_data(each) for each in documents], "total": total, "limit": limit, "offset": offset})

    async def add(self, request: Request, principal: Principal) -> Response:
        """Each document on its own, in their order: the first that cannot be read ends it, and those before it are there.

        Raises BadRequest, NotFound, Forbidden, Conflict, BodyTooLarge, UnsupportedMedia, Unavailable.
        """
        collection = await writable(self._library, request, principal)
        made = []
        for file, upload in await self._given(request):
            made.append(document_data(await self._take(collection, file, upload, reader(principal).user)))
        return answer({"documents": made}, 201)

    async def put(self, request: Request, principal: Principal) -> Response:
        """Chunks that were made elsewhere. Raises BadRequest, NotFound, Forbidden, Conflict, Unavailable."""
        collection = await writable(self._library, request, principal)
        id = asked_id(request.path_params["id"])
        body = checked(await _parsed(request, MOST_JSON), NewChunks)
        if body.embedder and not self._library.embedder(self._gateway.snapshot.embedder):
            raise Conflict("embedder: this gateway keeps no vectors; send the chunks without", param="embedder")
        upload = Upload(id, body.hash, body.title, body.source, body.bytes, body.metadata, body.embedder)
        pieces = [Piece(each.text, each.heading, each.page, each.vector) for each in body.chunks]
        pieces = await self._embedded(body.embedder, pieces, reader(principal).user)
        count = await self._library.documents.put(collection, upload, pieces, first=body.first, last=body.last)
        return answer({"chunks": count})

    async def _embedded(self, name: str, pieces: list[Piece], user: str) -> list[Piece]:
        """Who has not the gateway's own model names it and sends no vectors: then they are made here. Raises what the embedder raises."""
        embedder = self._gateway.snapshot.embedder
        if not name or name != embedder.name or any(piece.vector is not None for piece in pieces):
            return pieces
        return await self._library.embedded(pieces, embedder, user)

    async def delete(self, request: Request, principal: Principal) -> Response:
        """By the path, or by `?id=`: a web address, say, cannot stand in a path. Raises BadRequest, NotFound, Forbidden."""
        collection = await writable(self._library, request, principal)
        id = request.path_params.get("id") or request.query_params.get("id", "")
        await self._library.documents.delete_document(collection, asked_id(id))
        return Response(status_code=204)

    async def _given(self, request: Request) -> list[tuple[File, Upload]]:
        """What the body has in it. Raises what it can be refused for."""
        content_type = request.scope["ailb.headers"].get("content-type", "")
        if content_type.lower().startswith(FORM):
            most = self._gateway.snapshot.config.server.max_body_bytes
            body = await raw_of(request, most, setting="server.max_body_bytes")
            return [_of_file(file) for file in files(content_type, body, most=MOST_AT_ONCE)]
        parsed = checked(await _parsed(request, MOST_JSON), NewDocuments)
        return [_of_text(each) for each in parsed.documents]

    async def _take(self, collection: Collection, file: File, upload: Upload, user: str) -> Document:
        """What has not changed is not taken in again."""
        documents, embedder = self._library.documents, self._gateway.snapshot.embedder
        there = await documents.document(collection, upload.id)
        if there is not None and _same(there, upload):
            return there
        now = await documents.find_id(collection.id)  # as of now: the document before may have set its embedder
        name = self._library.embedder(embedder) if not now.documents else now.embedder
        if name and name != embedder.name:
            raise Conflict(f"the collection has vectors of {name}, and this gateway embeds with {embedder.name or 'nothing'}", param="name")
        upload, count = replace(upload, embedder=name), 0
        async with aclosing(self._library.pieces(file.name, file.content, file.type, embedder if name else None, user)) as parts:
            async for title, pieces, last in parts:
                told = upload.title or ("" if title == upload.id else title)  # where nothing says what it is called, it is its name
                upload = replace(upload, title=told)
                count = await documents.put(collection, upload, pieces, first=count, last=last)
        taken = await documents.document(collection, upload.id)
        if taken is None:
            raise Conflict(f"{upload.id}: was deleted while it came in")
        return taken


def _same(there: Document, upload: Upload) -> bool:
    """As far as was said: a title that nobody gave is read from the document."""
    said = upload.title in ("", there.title), upload.source == there.source, dict(upload.metadata) == there.metadata
    return there.hash == upload.hash and all(said)


def _of_text(document: NewDocument) -> tuple[File, Upload]:
    content = document.text.encode()
    hash = sha256(content).digest()
    id = document.id or f"doc-{hash.hex()[:24]}"
    marked = any(name.lower().endswith((".md", ".markdown")) for name in (id, document.source))
    file = File(f"{id}.md" if marked else f"{id}.txt", "", content)
    return file, Upload(id, hash, document.title, document.source, len(content), document.metadata)


def _of_file(file: File) -> tuple[File, Upload]:
    """Raises UnsupportedMedia, BodyTooLarge, BadRequest."""
    from ailb.ingest.parse import KINDS, kind

    if kind(file.name, file.type) is None:
        raise UnsupportedMedia(f"{file.name[:80]}: is of no kind that can be read; there are {', '.join(KINDS)}")
    if len(file.content) > Limits().bytes:
        raise BodyTooLarge(f"{file.name[:80]}: is larger than {Limits().bytes} bytes")
    if not file.content:
        raise BadRequest(f"{file.name[:80]}: is empty")
    hash = sha256(file.content).digest()
    return file, Upload(asked_id(file.name), hash, "", file.name, len(file.content))


async def _parsed(request: Request, most: int) -> dict[str, Any]:
    raw = await raw_of(request, most)
    return parse(raw) if len(raw) <= SLOW_BYTES else await asyncio.to_thread(parse, raw)
