"""`/api/routing/stats`: how requests fared, and the targets that they went to. Of all processes of the gateway, since it started."""

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response

from ailb.admin.access import Access, ApiRoute, Principal
from ailb.admin.pages import answer
from ailb.errors import ModelNotFound
from ailb.gateway import Gateway
from ailb.loader import Snapshot
from ailb.metrics import Metrics
from ailb.stats import providers, share


class StatsPages:
    """It needs no store, so that it is there without one."""

    def __init__(self, gateway: Gateway, metrics: Metrics) -> None:
        self._gateway = gateway
        self._metrics = metrics

    def routes(self, access: Access) -> list[ApiRoute]:
        return [access.route("/api/routing/stats", {"GET": self.stats}, read="admin")]

    async def stats(self, request: Request, principal: Principal) -> Response:
        """A request succeeded unless the gateway or an upstream failed it; what a client did wrong is no failure."""
        snapshot, metrics = self._gateway.snapshot, self._metrics
        total, good = await metrics.served()
        body = {
            "strategy": getattr(snapshot.layers[-1], "strategy", "") if snapshot.layers else "",
            "total_requests": total,
            "successful_requests": good,
            "failed_requests": total - good,
            "success_rate": share(good, total),
            "providers": await providers(metrics.tally, set_up(snapshot), metrics.clock.monotonic()),
        }
        return answer(body)


def set_up(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Pairs of a provider and a model that the configuration names, patterns left out; and each provider with an empty model."""
    config, models = snapshot.config, snapshot.models
    yield from ((provider, "") for provider in snapshot.providers)
    for table in config.provider:
        if table.name in snapshot.providers:
            yield from ((table.name, model) for model in table.models or () if "*" not in model)
    for named in config.model:
        try:
            targets = () if "*" in named.name else models.targets(named.name)
        except ModelNotFound:  # all of its providers are off
            continue
        yield from ((target.provider, target.model) for target in targets)
