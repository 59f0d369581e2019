"""Which model names are served, and by which targets."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

Named = Sequence[Target] | Callable[[str], Sequence[Target]]
"""A model's targets; for a pattern, those for the name that is asked for."""

Made = Callable[[str, str], Sequence[Target]]
"""The targets that a provider's name and one of its models come to: as many as it has keys."""


def alone(provider: str, model: str) -> Sequence[Target]:
    return (Target(provider, model),)


def overlap(pattern: str, other: str) -> bool:
    """Whether a name may fit both patterns, as far as their beginnings and ends tell. A name is a pattern that fits only itself."""
    if "*" not in pattern or "*" not in other:
        return fnmatchcase(pattern, other) or fnmatchcase(other, pattern)
    begins, ends = zip(*((text.partition("*")[0], text.rpartition("*")[2][::-1]) for text in (pattern, other)), strict=True)
    return all(long.startswith(short) for short, long in (sorted(begins, key=len), sorted(ends, key=len)))


class Models:
    """`named` are the `[[model]]` tables of the config, by name or pattern; `offered` is what each provider says it has: names, or patterns
    such as `gpt-*`; `routes` are how the tables' requests are served.

    A name wins over patterns, the most specific pattern over the others, a table over what is offered, except where a request names the
    provider as well. A name that two providers offer is served by both. `default` stands in where a request names no model.
    """

    def __init__(
        self,
        offered: Mapping[str, Sequence[str]],
        named: Mapping[str, Named] | None = None,
        default: str = "",
        routes: Mapping[str, Route] | None = None,
        made: Made = alone,
    ) -> None:
        self.default = default
        self.routes: Mapping[str, Route] = dict(routes or {})
        """All of them, by the names, patterns and aliases of their tables; also of those that are not served now."""
        self._named = dict(named or {})
        self._patterns = sorted((name for name in {**self._named, **self.routes} if "*" in name), key=_letters, reverse=True)
        self._offered = dict(offered)
        self._made = made
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
        targets = self._look_up(model)
        if not targets:
            like = nearest(model, self.names())
            hint = f"; did you mean {', '.join(like)}?" if like else ""
            raise ModelNotFound(f"Model not found: {model}{hint}")
        if len(self._found) < 10_000:
            self._found[model] = targets
        return targets

    def route(self, model: str) -> Route:
        route = self.routes.get(model)
        if route is None and self._patterns:
            route = next((self.routes[name] for name in self._fitting(model) if name in self.routes), None)
        return PLAIN if route is None else route

    def names(self) -> list[str]:
        """All names that are known; patterns are not names."""
        names = dict.fromkeys([self.default] if self.default and self._look_up(self.default) else [])
        names.update(dict.fromkeys(name for name in self._named if "*" not in name))
        for offers in self._offered.values():
            names.update(dict.fromkeys(offer for offer in offers if "*" not in offer))
        return list(names)

    def owner(self, model: str) -> str:
        """The provider that a model list names as the owner."""
        return self.targets(model)[0].provider

    def _look_up(self, model: str) -> tuple[Target, ...]:
        table = next((name for name in (model, *self._fitting(model)) if name in self._named), None)
        if table is None:
            return tuple(target for provider, name in self._offering(model) for target in self._made(provider, name))
        named = self._named[table]
        return tuple(named(model) if callable(named) else named)

    def _fitting(self, model: str) -> Iterator[str]:
        """The tables' patterns that fit, the most specific first. `*` is not meant to catch those that are asked for at their provider."""
        whole = not self._is_addressed(model)
        return (pattern for pattern in self._patterns if (whole or "/" in pattern) and fnmatchcase(model, pattern))

    def _offering(self, model: str) -> list[tuple[str, str]]:
        """Providers, and what they call it. `provider/model` asks that provider, unless it has no such model and another one lists the
        whole name, as brokers do. An exact offer beats a pattern.
        """
        provider, _, rest = model.partition("/")
        if self._is_addressed(model):
            return [(provider, rest)]
        exact = [(name, model) for name, offers in self._offered.items() if model in offers]
        named = "/" in model and provider in self._offered
        return exact if exact or named else [(name, model) for name in self._offered if self._offers(name, model)]

    def _is_addressed(self, model: str) -> bool:
        provider, slash, rest = model.partition("/")
        return bool(slash) and provider in self._offered and self._offers(provider, rest)

    def _offers(self, provider: str, model: str) -> bool:
        return any(fnmatchcase(model, offer) for offer in self._offered[provider])


def _letters(pattern: str) -> int:
    """How much a pattern says."""
    return len(pattern) - pattern.count("*") - pattern.count("?")
