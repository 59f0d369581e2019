from pathlib import Path

from ailb.admin.access import ApiRoute
from tests.ailb.admin.calling import calling
from tests.ailb.store.clocks import SetClock


async def test_all_that_is_under_api_asks_who_is_calling(tmp_path: Path) -> None:
    async with calling(tmp_path, "keyed", SetClock()) as api:
        assert {ApiRoute} == {type(route) for route in api.api}
        assert all(route.path.startswith("/api/") for route in api.api)
        assert len({route.path for route in api.api}) == len(api.api)
