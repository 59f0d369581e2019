"""Everything under /api. Each route is made by `Access`, so none is open by accident."""

from ailb.admin.access import Access, ApiRoute
from ailb.admin.billing import BillingPages
from ailb.admin.explain import ExplainPages
from ailb.admin.keys import KeyPages
from ailb.gateway import Gateway
from ailb.records_shelf import Shelf
from ailb.store.budgets import Budgets
from ailb.store.database import Database
from ailb.store.keys import KeyStore


def routes(gateway: Gateway, database: Database, keys: KeyStore, budgets: Budgets, shelf: Shelf) -> list[ApiRoute]:
    access = Access(gateway, keys)
    pages = (KeyPages(keys), BillingPages(database, keys, budgets), ExplainPages(gateway, shelf))
    return [route for each in pages for route in each.routes(access)]
