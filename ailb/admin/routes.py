"""Everything under /api. Each route is made by `Access`, so none is open by accident."""

from starlette.routing import BaseRoute

from ailb.admin.access import Access
from ailb.admin.keys import KeyPages
from ailb.gateway import Gateway
from ailb.store.keys import KeyStore


def routes(gateway: Gateway, keys: KeyStore) -> list[BaseRoute]:
    access = Access(gateway, keys)
    return [*KeyPages(keys).routes(access)]
