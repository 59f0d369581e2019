"""What goes in and comes out, as JSON Schema: the components of `/openapi.json`. Data only.

Answers may gain members, so that they are open; the bodies of `/api` are closed, because a member that it does not know is refused.
"""

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

TEXT: Final = {"type": "string"}
NAME: Final = {"type": "string", "maxLength": 256}
TIME: Final = {"type": "string", "format": "date-time"}
NUMBER: Final = {"type": "number"}
COUNT: Final = {"type": "integer", "minimum": 0}
FLAG: Final = {"type": "boolean"}
OBJECT: Final = {"type": "object"}
DOLLARS: Final = {"type": "number", "minimum": 0, "maximum": 1_000_000_000}
TOKENS: Final = {"type": "integer", "minimum": 0, "maximum": 1 << 53}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def listed(schema: Schema, **limits: Any) -> Schema:
    return {"type": "array", "items": schema, **limits}


def named(schema: Schema) -> Schema:
    """An object whose members all have this schema."""
    return {"type": "object", "additionalProperties": schema}


def answer(**members: Schema) -> Schema:
    """Every member is there, and there may be more."""
    return {"type": "object", "properties": members, "required": list(members)}


def body(*required: str, **members: Schema) -> Schema:
    """No other member may be there."""
    closed = {"type": "object", "properties": members, "additionalProperties": False}
    return {**closed, "required": list(required)} if required else closed


ERROR: Final = answer(
    detail=TEXT,
    type=TEXT,
    status_code={"type": "integer"},
    error=answer(message=TEXT, type=TEXT, param=maybe(TEXT), code={}),
)
ANTHROPIC_ERROR: Final = answer(type={"const": "error"}, error=answer(type=TEXT, message=TEXT))

_AMOUNT: Final = answer(spend=NUMBER, tokens={"type": "integer"}, requests=COUNT)
_PERIODS: Final = ["daily", "weekly", "monthly", "total"]

_BILLING: Final[Mapping[str, Schema]] = {
    "Spend": answer(
        period=TEXT,
        start_date=TIME,
        end_date=TIME,
        total_spend=NUMBER,
        total_tokens={"type": "integer"},
        total_requests=COUNT,
        providers=named(_AMOUNT),
        by_model=named(_AMOUNT),
        by_key=named(_AMOUNT),
    ),
    "Usage": answer(
        data=listed(
            answer(
                id={"type": "integer"},
                at=TIME,
                kind={"enum": ["attempt", "correction"]},
                status=TEXT,
                user_id=TEXT,
                key_id=TEXT,
                provider=TEXT,
                model=TEXT,
                cost=NUMBER,
                estimated=FLAG,
                request_id=TEXT,
            )
        ),
        next_cursor=maybe(TEXT),
    ),
    "BudgetTerms": body(
        key_id=NAME,
        user_id=NAME,
        model=NAME,
        provider=NAME,
        **{"global": {"const": True}},
        monthly_limit_dollars=maybe(DOLLARS),
        monthly_limit_tokens=maybe(TOKENS),
        period={"enum": _PERIODS},
        soft_limit_ratio={"type": "number", "minimum": 0, "maximum": 1},
    ),
    "Budget": answer(
        key_id=maybe(TEXT),
        period={"enum": _PERIODS},
        monthly_limit_dollars=maybe(NUMBER),
        monthly_limit_tokens=maybe(COUNT),
        current_spend=NUMBER,
        current_tokens=COUNT,
        reserved=NUMBER,
        remaining_budget=maybe(NUMBER),
        remaining_tokens=maybe({"type": "integer"}),
        resets_at=maybe(TIME),
        status={"enum": ["healthy", "warning", "exceeded"]},
    ),
}

_LIMIT: Final = {"type": "integer", "minimum": 1}
_TERMS: Final[Mapping[str, Schema]] = {
    "monthly_quota_dollars": maybe(DOLLARS),
    "monthly_quota_tokens": maybe(TOKENS),
    "rate_limit_rpm": maybe(_LIMIT),
    "rate_limit_tpm": maybe(_LIMIT),
    "max_parallel": maybe(_LIMIT),
    "allowed_models": maybe(listed(NAME)),
    "allowed_collections": maybe(listed(NAME)),
    "expires_at": maybe(TIME),
    "metadata": maybe(OBJECT),
}
_KEYS: Final[Mapping[str, Schema]] = {
    "Key": answer(
        id=TEXT,
        user_id=TEXT,
        name=TEXT,
        prefix=TEXT,
        status={"enum": ["active", "revoked", "expired"]},
        created_at=TIME,
        expires_at=maybe(TIME),
        last_used=maybe(TIME),
        monthly_quota_dollars=maybe(NUMBER),
        monthly_quota_tokens=maybe(COUNT),
        rate_limit_rpm=maybe(COUNT),
        rate_limit_tpm=maybe(COUNT),
    ),
    "NewKey": answer(key=TEXT, key_data=ref("Key")),
    "Keys": answer(keys=listed(ref("Key")), total=COUNT, limit=COUNT, offset=COUNT),
    "KeyTerms": body("name", name=NAME, user_id=NAME, **_TERMS),
    "KeyChange": body(name=NAME, **_TERMS),
    "Rotation": body(grace_seconds={"type": "integer", "minimum": 0}),
}
_COLLECTION_NAME: Final = {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}$"}
_LINE: Final = {"type": "string", "maxLength": 1000}
_BOUNDS: Final[Mapping[str, Schema]] = {"total": COUNT, "limit": COUNT, "offset": COUNT}
_DOCUMENTS: Final[Mapping[str, Schema]] = {
    "NewCollection": body("name", name=_COLLECTION_NAME, shared=FLAG, metadata=OBJECT),
    "Collection": answer(
        name=TEXT,
        shared=FLAG,
        embedder=maybe(TEXT),
        dimension=maybe(COUNT),
        documents=COUNT,
        chunks=COUNT,
        created_at=TIME,
        metadata=OBJECT,
    ),
    "Collections": answer(collections=listed(ref("Collection")), **_BOUNDS),
    "NewDocuments": body(
        "documents",
        documents=listed(
            body(
                "text",
                text={"type": "string", "minLength": 1},
                id={"type": "string", "minLength": 1, "maxLength": 200},
                title=_LINE,
                source=_LINE,
                metadata=OBJECT,
            ),
            minItems=1,
            maxItems=100,
        ),
    ),
    "Files": {"type": "object", "additionalProperties": {"type": "string", "format": "binary"}},
    "Document": answer(
        id=TEXT, hash=TEXT, title=TEXT, source=TEXT, bytes=COUNT, chunks=COUNT, created_at=TIME, updated_at=TIME, metadata=OBJECT
    ),
    "Documents": answer(documents=listed(ref("Document")), **_BOUNDS),
    "TakenDocuments": answer(documents=listed(ref("Document"))),
    "NewChunks": body(
        "hash",
        "chunks",
        hash={"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
        title=_LINE,
        source=_LINE,
        bytes=COUNT,
        metadata=OBJECT,
        embedder={"type": "string", "maxLength": 200},
        chunks=listed(
            body("text", text={"type": "string", "minLength": 1}, heading=_LINE, page=maybe(COUNT), vector=maybe(listed(NUMBER))),
            minItems=1,
            maxItems=256,
        ),
        first=COUNT,
        last=FLAG,
    ),
    "TakenChunks": answer(chunks=COUNT),
    "Search": body("query", query={"type": "string", "minLength": 1}, top_k={"type": "integer", "minimum": 1, "maximum": 50}),
    "Passages": answer(
        passages=listed(
            answer(
                id=TEXT,
                document=TEXT,
                text=TEXT,
                title=TEXT,
                source=TEXT,
                heading=TEXT,
                page=maybe(COUNT),
                score=NUMBER,
                metadata=OBJECT,
            )
        ),
        degraded=maybe(TEXT),
    ),
}
_MESSAGES: Final = {"messages": listed(OBJECT)}
_CONVERSATIONS: Final[Mapping[str, Schema]] = {
    "Chat": {"type": "object", "properties": {"model": TEXT, "stream": FLAG, **_MESSAGES}, "required": ["messages"]},
    "ChatAnswer": answer(choices=listed(OBJECT)),
    "Messages": {"type": "object", "properties": {"model": TEXT, "max_tokens": COUNT, **_MESSAGES}, "required": ["model", "messages"]},
    "MessagesAnswer": answer(type={"const": "message"}, content=listed(OBJECT)),
    "OllamaChat": {"type": "object", "properties": {"model": TEXT, "stream": FLAG, **_MESSAGES}, "required": ["model", "messages"]},
    "OllamaAnswer": answer(model=TEXT, message=OBJECT, done=FLAG),
    "Model": answer(id=TEXT, object={"const": "model"}, created=COUNT, owned_by=TEXT),
    "Models": answer(object={"const": "list"}, data=listed(ref("Model"))),
}
_RECORD: Final = answer(
    id=TEXT,
    at=TIME,
    caller=answer(user=TEXT, key_id=maybe(TEXT)),
    path=TEXT,
    asked=TEXT,
    stream=FLAG,
    session_id=maybe(TEXT),
    target=maybe(TEXT),
    outcome=maybe({"enum": ["complete", "refused", "broken", "disconnected"]}),
    status=maybe({"type": "integer"}),
    error=maybe(TEXT),
    latency_ms=maybe(NUMBER),
    first_event_ms=maybe(NUMBER),
    usage=maybe(OBJECT),
    attempts=listed(answer(number=COUNT, provider=TEXT, model=TEXT, started_ms=NUMBER, status=maybe(COUNT), error=maybe(TEXT))),
    cost=maybe(answer(usd=NUMBER, estimated=FLAG, lines=listed(OBJECT))),
    notes=OBJECT,
)
_TARGET_STATS: Final[Mapping[str, Schema]] = {
    "requests": COUNT,
    "success_rate": NUMBER,
    "avg_latency_ms": maybe(NUMBER),
    "p50_latency_ms": maybe(NUMBER),
    "p95_latency_ms": maybe(NUMBER),
    "avg_ttft_ms": maybe(NUMBER),
    "in_flight": COUNT,
    "circuit": {"enum": ["closed", "open", "half_open"]},
    "last_error": maybe(TEXT),
    "last_error_at": maybe(TIME),
}
_STATS: Final = answer(
    strategy=TEXT,
    total_requests=COUNT,
    successful_requests=COUNT,
    failed_requests=COUNT,
    success_rate=NUMBER,
    providers=named(answer(**_TARGET_STATS, models=named(answer(**_TARGET_STATS)))),
)
_ABOUT_SESSION: Final[Mapping[str, Schema]] = {"id": TEXT, "user_id": TEXT, "created_at": TIME, "updated_at": TIME, "bytes": COUNT}
_SESSIONS: Final[Mapping[str, Schema]] = {
    "Sessions": answer(sessions=listed(answer(**_ABOUT_SESSION, turns=COUNT)), total=COUNT, limit=COUNT, offset=COUNT),
    "Session": answer(
        **_ABOUT_SESSION,
        summary=TEXT,
        turns=listed(answer(number=COUNT, at=TIME, messages=listed(OBJECT), tokens=COUNT, cut=FLAG)),
    ),
}
SCHEMAS: Final[Mapping[str, Schema]] = {
    "Error": ERROR,
    "AnthropicError": ANTHROPIC_ERROR,
    "OllamaError": answer(error=TEXT),
    "Health": answer(status={"enum": ["healthy", "unhealthy"]}),
    "OpenAPI": answer(openapi=TEXT, paths=OBJECT),
    "Text": TEXT,
    "Event": {"type": "object", "properties": {"data": TEXT}},
    "Record": _RECORD,
    "Stats": _STATS,
    **_CONVERSATIONS,
    **_KEYS,
    **_BILLING,
    **_SESSIONS,
    **_DOCUMENTS,
}
