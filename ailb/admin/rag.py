"""/api/rag: collections of documents, and searching them."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ailb.admin.access import Access, ApiRoute, Principal
from ailb.admin.bodies import body_of, number
from ailb.admin.pages import answer
from ailb.admin.rag_bodies import NewCollection, Search, asked_name, collection_data, passage_data
from ailb.errors import Forbidden
from ailb.gateway import Gateway
from ailb.identity import ANONYMOUS
from ailb.library import Library
from ailb.retrieval import Reader
from ailb.store.documents_rows import SHARED, Collection

MOST_OFFSET: Final = 1_000_000_000
ALL: Final = "/api/rag/collections"
ONE: Final = f"{ALL}/{{name}}"


class RagPages:
    """The endpoints, each a method. A user's own collections come before shared ones of the same name; a key sees those that it is allowed.

    What is not the caller's is not there: 404.
    """

    def __init__(self, gateway: Gateway, library: Library) -> None:
        self._gateway = gateway
        self._library = library

    def routes(self, access: Access) -> list[ApiRoute]:
        return [
            access.route(ALL, {"GET": self.page, "POST": self.create}, read="key", write="key"),
            access.route(ONE, {"GET": self.get, "DELETE": self.delete}, read="key", write="key"),
            access.route(f"{ONE}/search", {"POST": self.search}, read="key", write="key"),
        ]

    async def create(self, request: Request, principal: Principal) -> Response:
        """Raises BadRequest, Conflict; Forbidden for a shared one, which only the admin makes, and a name that the key is not allowed."""
        body = await body_of(request, NewCollection)
        if body.shared and not principal.admin:
            raise Forbidden("shared: only the admin may make a collection for everybody", param="shared")
        if principal.key is not None and not principal.key.allows_collection(body.name):
            raise Forbidden(f"this key may not use the collection {body.name}", param="name", code="collection_not_allowed")
        owner = SHARED if body.shared else reader(principal).user
        embedder = self._library.embedder(self._gateway.snapshot.embedder)
        made = await self._library.documents.create(owner, body.name, embedder=embedder, metadata=body.metadata)
        return answer(collection_data(made), 201)

    async def page(self, request: Request, principal: Principal) -> Response:
        """Raises BadRequest."""
        limit, offset = paged(request)
        found, total = await self._library.documents.page(reader(principal), limit=limit, offset=offset)
        data: list[Any] = [collection_data(each) for each in found]
        return answer({"collections": data, "total": total, "limit": limit, "offset": offset})

    async def get(self, request: Request, principal: Principal) -> Response:
        """Raises NotFound."""
        found = await seen(self._library, request, principal)
        return answer(collection_data(await self._library.documents.counted(found)))

    async def delete(self, request: Request, principal: Principal) -> Response:
        """Raises NotFound, Forbidden."""
        await self._library.documents.delete(await writable(self._library, request, principal))
        return Response(status_code=204)

    async def search(self, request: Request, principal: Principal) -> Response:
        """Raises BadRequest, NotFound, Unavailable."""
        body = await body_of(request, Search)
        name = asked_name(request.path_params["name"])
        searcher = self._library.by(self._gateway.snapshot.embedder)
        found = await searcher.search(reader(principal), name, body.query, body.top_k)
        return answer({"passages": [passage_data(each) for each in found], "degraded": found.degraded or None})


def reader(principal: Principal) -> Reader:
    """Whose collections the caller has to do with: of an admin who names no user, nobody's in particular."""
    return Reader(principal.user or ANONYMOUS, principal.key.allowed_collections if principal.key else None)


def paged(request: Request) -> tuple[int, int]:
    """`limit` and `offset`. Raises BadRequest."""
    return number(request, "limit", 100, 1, 1000), number(request, "offset", 0, 0, MOST_OFFSET)


async def seen(library: Library, request: Request, principal: Principal) -> Collection:
    """The collection in the path. Raises BadRequest, NotFound."""
    return await library.documents.find(reader(principal), asked_name(request.path_params["name"]))


async def writable(library: Library, request: Request, principal: Principal) -> Collection:
    """As `seen`. Raises Forbidden for a shared one, which only the admin changes."""
    found = await seen(library, request, principal)
    if found.shared and not principal.admin:
        raise Forbidden("only the admin may change a shared collection")
    return found
