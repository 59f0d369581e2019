"""Everything under /api. Each route is made by `Access`, so none is open by accident."""

from ailb.admin.access import Access, ApiRoute
from ailb.admin.billing import BillingPages
from ailb.admin.keys import KeyPages
from ailb.gateway import Gateway
from ailb.store.budgets import Budgets
from ailb.store.database import Database
from ailb.store.keys import KeyStore


def routes(gateway: Gateway, database: Database, keys: KeyStore, budgets: Budgets) -> list[ApiRoute]:
    access = Access(gateway, keys)
    return [*KeyPages(keys).routes(access), *BillingPages(database, keys, budgets).routes(access)]
