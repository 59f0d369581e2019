"""Everything under /api. Each route is made by `Access`, so none is open by accident."""

from ailb.admin.access import Access, ApiRoute
from ailb.admin.billing import BillingPages
from ailb.admin.explain import ExplainPages
from ailb.admin.keys import KeyPages
from ailb.admin.rag import RagPages
from ailb.admin.rag_documents import RagDocumentPages
from ailb.admin.sessions import SessionPages
from ailb.gateway import Gateway
from ailb.library import Library
from ailb.records_shelf import Shelf
from ailb.store.budgets import Budgets
from ailb.store.database import Database
from ailb.store.keys import KeyStore
from ailb.store.sessions import StoredSessions


def routes(gateway: Gateway, database: Database, keys: KeyStore, budgets: Budgets, shelf: Shelf) -> list[ApiRoute]:
    access = Access(gateway, keys)
    sessions = SessionPages(StoredSessions(database))
    pages = (KeyPages(keys), BillingPages(database, keys, budgets), ExplainPages(gateway, shelf), sessions)
    return [route for each in pages for route in each.routes(access)]


def shelved(gateway: Gateway, keys: KeyStore, library: Library) -> list[ApiRoute]:
    """What is about documents."""
    access = Access(gateway, keys)
    return [*RagPages(gateway, library).routes(access), *RagDocumentPages(gateway, library).routes(access)]
