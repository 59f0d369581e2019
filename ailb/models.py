"""Which model names are served, and by which targets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase

from ailb.dialect import Target
from ailb.errors import ModelNotFound


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """The known words most like `word`, best first; at most three."""
    return get_close_matches(word, list(known), n=3, cutoff=0.5)


@dataclass(frozen=True, slots=True)
class Route:
    """How a model's requests are served. What is None is as the routing layer has it.

    `strategy` is a name or `package.module:function`. `sticky` is what keeps to one target: "session", "prefix", "user" or
    "header:<name>". `retries` is how often all targets are asked again, `hedge` whether a second one is asked when the first takes
    unusually long. `fallbacks` are other models to turn to, by what went wrong: "any", "rate_limit", "context_length", "content_policy".
    """

    strategy: str | None = None
    sticky: str | None = None
    retries: int | None = None
    hedge: bool | None = None
    fallbacks: Mapping[str, Sequence[str]] = field(default_factory=dict)


PLAIN = Route()


class Models:
    """`named` are the `[[model]]` tables of the config; `offered` is what each provider says it has: names, or patterns such as `gpt-*`.

    A name that two providers offer is served by both. `default` stands in where a request names no model.

    """

    def __init__(
        self,
        offered: Mapping[str, Sequence[str]],
        named: Mapping[str, Sequence[Target]] | None = None,
        default: str = "",
        routes: Mapping[str, Route] | None = None,
    ) -> None:
        self.default = default
        self._routes = dict(routes or {})
        self._named = dict(named or {})
        self._offered = dict(offered)
        self._found: dict[str, tuple[Target, ...]] = {}

    def offer(self, provider: str, names: Sequence[str]) -> None:
        """What a provider has now, in place of what it had."""
        self._offered[provider] = tuple(names)
        self._found.clear()

    @property
    def offers(self) -> Mapping[str, Sequence[str]]:
        """What each provider says it has now."""
        return self._offered

    def targets(self, model: str) -> tuple[Target, ...]:
        """Those that serve `model`; never empty. Raises ModelNotFound with the nearest names."""
        if (found := self._found.get(model)) is not None:
            return found
        targets = tuple(self._named.get(model) or self._look_up(model))
        if not targets:
            like = nearest(model, self.names())
            hint = f"; did you mean {', '.join(like)}?" if like else ""
            raise ModelNotFound(f"Model not found: {model}{hint}")
        if len(self._found) < 10_000:
            self._found[model] = targets
        return targets

    def route(self, model: str) -> Route:
        return self._routes.get(model, PLAIN)

    def names(self) -> list[str]:
        """All names that are known; patterns are not names."""
        served = self.default and (self.default in self._named or self._look_up(self.default))
        names = dict.fromkeys([self.default] if served else [])
        names.update(dict.fromkeys(self._named))
        for offers in self._offered.values():
            names.update(dict.fromkeys(offer for offer in offers if "*" not in offer))
        return list(names)

    def owner(self, model: str) -> str:
        """The provider that a model list names as the owner."""
        return self.targets(model)[0].provider

    def _look_up(self, model: str) -> list[Target]:
        """`provider/model` asks that provider, unless it has no such model and another one lists the whole name, as brokers do.

        An exact offer beats a pattern.
        """
        provider, slash, rest = model.partition("/")
        named = bool(slash) and provider in self._offered
        if named and self._offers(provider, rest):
            return [Target(provider, rest)]
        exact = [Target(p, model) for p, offers in self._offered.items() if model in offers]
        return exact if exact or named else [Target(p, model) for p in self._offered if self._offers(p, model)]

    def _offers(self, provider: str, model: str) -> bool:
        return any(fnmatchcase(model, offer) for offer in self._offered[provider])
