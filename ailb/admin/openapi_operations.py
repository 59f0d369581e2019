"""The table of everything that the gateway serves. A test holds it against the router."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ailb.admin.openapi_schemas import NAME, TIME, Schema
from ailb.admin.when import PERIODS

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"

_PAGE: Final = {"type": "integer", "minimum": 1, "maximum": 1000}
_DATE: Final = {"anyOf": [{"type": "string", "format": "date"}, TIME]}
PARAMETERS: Final[Mapping[str, Schema]] = {
    "id": NAME,
    "key_id": NAME,
    "name": NAME,
    "user_id": NAME,
    "provider": NAME,
    "model": NAME,
    "period": {"enum": list(PERIODS)},
    "start_date": _DATE,
    "end_date": _DATE,
    "group_by": {"enum": ["day", "key", "model", "provider", "session"]},
    "cursor": {"type": "string"},
    "status": {"enum": ["active", "revoked", "expired"]},
    "limit": _PAGE,
    "offset": {"type": "integer", "minimum": 0},
    "X-User-ID": NAME,
    "X-Session-ID": NAME,
    "X-Preferred-Model": NAME,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """`answers`: a schema's name by media type. `form`: its body may also be files. `open`: for everybody, without a
    key.
    """

    method: str
    path: str
    summary: str
    answers: Mapping[str, str]
    parameters: tuple[str, ...] = ()
    body: str | None = None
    form: bool = False
    statuses: tuple[int, ...] = (200,)
    error: str = "Error"
    open: bool = False


_CHAT: Final = ("X-Session-ID", "X-Preferred-Model")
_RANGE: Final = ("key_id", "user_id", "provider", "model", "period", "start_date", "end_date")
_USER: Final = ("X-User-ID",)
_COLLECTION: Final = ("name", *_USER)
_COLLECTIONS: Final = "/api/rag/collections"

OPERATIONS: Final = (
    Operation("POST", "/v1/chat/completions", "A chat, as OpenAI's", {JSON: "ChatAnswer", EVENTS: "Event"}, _CHAT, "Chat"),
    Operation(
        "POST", "/v1/messages", "A chat, as Anthropic's", {JSON: "MessagesAnswer", EVENTS: "Event"}, (), "Messages", error="AnthropicError"
    ),
    Operation(
        "POST",
        "/api/chat",
        "A chat, as Ollama's",
        {JSON: "OllamaAnswer", "application/x-ndjson": "Text"},
        (),
        "OllamaChat",
        error="OllamaError",
    ),
    Operation("GET", "/v1/models", "The models that are served", {JSON: "Models"}),
    Operation("GET", "/v1/models/{name}", "One of them", {JSON: "Model"}, ("name",)),
    Operation("GET", "/healthz", "Whether it takes requests", {JSON: "Health"}, statuses=(200, 503), open=True),
    Operation("GET", "/readyz", "The same, with each dependency", {JSON: "Health"}, statuses=(200, 503), open=True),
    Operation("GET", "/metrics", "Prometheus' exposition", {"text/plain": "Text"}),
    Operation("GET", "/openapi.json", "This document", {JSON: "OpenAPI"}, open=True),
    Operation("GET", "/api/routing/stats", "How requests and their targets fared", {JSON: "Stats"}),
    Operation("POST", "/api/routing/explain", "What would become of a chat, and why", {JSON: "Record"}, (*_CHAT, *_USER), "Chat"),
    Operation("GET", "/api/requests/{id}", "What became of a request, and why", {JSON: "Record"}, ("id", *_USER)),
    Operation("POST", "/api/keys", "A new virtual key", {JSON: "NewKey"}, _USER, "KeyTerms", statuses=(201,)),
    Operation("GET", "/api/keys", "The keys, newest first", {JSON: "Keys"}, ("limit", "offset", "status", *_USER)),
    Operation("GET", "/api/keys/{id}", "One key", {JSON: "Key"}, ("id", *_USER)),
    Operation("PATCH", "/api/keys/{id}", "Change a key", {JSON: "Key"}, ("id", *_USER), "KeyChange"),
    Operation("DELETE", "/api/keys/{id}", "Revoke a key", {}, ("id", *_USER), statuses=(204,)),
    Operation("POST", "/api/keys/{id}/rotate", "A new secret for a key", {JSON: "NewKey"}, ("id", *_USER), "Rotation"),
    Operation("GET", "/api/billing/spend", "Sums of what was spent", {JSON: "Spend"}, (*_RANGE, "group_by", *_USER)),
    Operation(
        "GET",
        "/api/billing/usage",
        "The ledger's rows, newest first; as CSV where the client accepts it",
        {JSON: "Usage", "text/csv": "Text"},
        (*_RANGE, "cursor", "limit", *_USER),
    ),
    Operation("POST", "/api/billing/budget", "Set a budget", {JSON: "Budget"}, _USER, "BudgetTerms"),
    Operation("GET", "/api/billing/budget/{key_id}", "What a key's budget has left", {JSON: "Budget"}, ("key_id", *_USER)),
    Operation("GET", "/api/sessions", "Remembered conversations, the one used last first", {JSON: "Sessions"}, ("limit", "offset", *_USER)),
    Operation("GET", "/api/sessions/{id}", "All that is remembered of one", {JSON: "Session"}, ("id", *_USER)),
    Operation("DELETE", "/api/sessions/{id}", "Forget one", {}, ("id", *_USER), statuses=(204,)),
    Operation("GET", _COLLECTIONS, "The collections of documents, by name", {JSON: "Collections"}, ("limit", "offset", *_USER)),
    Operation("POST", _COLLECTIONS, "A new collection", {JSON: "Collection"}, _USER, "NewCollection", statuses=(201,)),
    Operation("GET", f"{_COLLECTIONS}/{{name}}", "One collection", {JSON: "Collection"}, _COLLECTION),
    Operation("DELETE", f"{_COLLECTIONS}/{{name}}", "Delete a collection and all that is in it", {}, _COLLECTION, statuses=(204,)),
    Operation("POST", f"{_COLLECTIONS}/{{name}}/search", "Passages that belong to a question", {JSON: "Passages"}, _COLLECTION, "Search"),
    Operation("GET", f"{_COLLECTIONS}/{{name}}/documents", "The documents, by id", {JSON: "Documents"}, (*_COLLECTION, "limit", "offset")),
    Operation(
        "POST",
        f"{_COLLECTIONS}/{{name}}/documents",
        "Take in documents: texts, or files in a form",
        {JSON: "TakenDocuments"},
        _COLLECTION,
        "NewDocuments",
        form=True,
        statuses=(201,),
    ),
    Operation(
        "DELETE", f"{_COLLECTIONS}/{{name}}/documents", "Delete a document, whatever its id", {}, (*_COLLECTION, "id"), statuses=(204,)
    ),
    Operation("DELETE", f"{_COLLECTIONS}/{{name}}/documents/{{id}}", "Delete a document", {}, (*_COLLECTION, "id"), statuses=(204,)),
    Operation(
        "PUT",
        f"{_COLLECTIONS}/{{name}}/documents/{{id}}/chunks",
        "Take in a document that was cut and embedded elsewhere",
        {JSON: "TakenChunks"},
        (*_COLLECTION, "id"),
        "NewChunks",
    ),
)
