"""The clients' real SDKs: one request, and everything that the application heard."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anthropic
import ollama
import openai

Json = dict[str, Any]

SECONDS = 30.0
TELLING = ("retry-after", "retry-after-ms", "x-should-retry", "request-id")
PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-")


@dataclass(frozen=True)
class Failure:
    """The exception that the SDK raised, as far as applications look into it. `status` is None where it has none."""

    kind: str
    status: int | None
    message: Any
    type: Any = None
    param: Any = None
    code: Any = None


@dataclass(frozen=True)
class Heard:
    """`objects`: each chunk or event of a stream, or the one answer, as the SDK gave it. `headers`: those that tell when to come again."""

    objects: list[Json] = field(default_factory=list)
    failure: Failure | None = None
    headers: dict[str, str] = field(default_factory=dict, compare=False)


Ask = Callable[[Json, Mapping[str, str]], Heard]
"""A request's body, and headers to go with it."""


def openai_sdk(base_url: str) -> Ask:
    client = openai.OpenAI(base_url=base_url, api_key="k", max_retries=0, timeout=SECONDS)

    def ask(body: Json, headers: Mapping[str, str]) -> Heard:
        given, rest = _split(body, "model", "messages", "stream")
        create: Any = client.chat.completions.create
        return _heard(body.get("stream"), lambda: create(**given, extra_body=rest, extra_headers=dict(headers)))

    return ask


def anthropic_sdk(base_url: str) -> Ask:
    client = anthropic.Anthropic(base_url=base_url, api_key="k", max_retries=0, timeout=SECONDS)

    def ask(body: Json, headers: Mapping[str, str]) -> Heard:
        given, rest = _split(body, "model", "messages", "stream", "max_tokens")
        create: Any = (client.beta if "anthropic-beta" in headers else client).messages.create
        return _heard(body.get("stream"), lambda: create(**given, extra_body=rest, extra_headers=dict(headers)))

    return ask


def ollama_sdk(base_url: str) -> Ask:
    """What the SDK has no parameter for is left out. `verify`: no new client has to read all certificates that there are."""
    known = inspect.signature(ollama.Client.chat).parameters

    def ask(body: Json, headers: Mapping[str, str]) -> Heard:
        given = {name: value for name, value in body.items() if name in known}
        streamed = given["stream"] = bool(body.get("stream", True))
        with ollama.Client(host=base_url, timeout=SECONDS, headers=dict(headers), verify=False) as client:
            chat: Any = client.chat
            return _heard(streamed, lambda: chat(**given))

    return ask


SDKS: Mapping[str, Callable[[str], Ask]] = {"chat.completions": openai_sdk, "messages": anthropic_sdk, "api.chat": ollama_sdk}
"""By the endpoint that they ask."""

MOUNT: Mapping[str, str] = {"chat.completions": "/v1", "messages": "", "api.chat": ""}
"""What goes behind the gateway's address for them."""


def _split(body: Json, *names: str) -> tuple[Json, Json]:
    return {name: body[name] for name in names if name in body}, {name: value for name, value in body.items() if name not in names}


def _heard(streamed: Any, create: Callable[[], Any]) -> Heard:
    objects: list[Json] = []
    try:
        answer = create()
        given: Iterable[Any] = answer if streamed else [answer]
        for thing in given:
            objects.append(_plain(thing))
    except (openai.APIStatusError, anthropic.APIStatusError) as refused:
        return Heard(objects, _failure(refused, refused.status_code), _telling(refused.response.headers))
    except (openai.APIError, anthropic.APIError) as broken:
        return Heard(objects, _failure(broken, None))
    except ollama.ResponseError as refused:
        return Heard(objects, Failure("ResponseError", refused.status_code, refused.error))
    return Heard(objects)


def _plain(thing: Any) -> Json:
    dump = getattr(thing, "to_dict", None)
    made: Json = dump(mode="json", warnings=False) if dump else thing.model_dump(mode="json", exclude_unset=True)
    return made


def _failure(error: openai.APIError | anthropic.APIError, status: int | None) -> Failure:
    """OpenAI's SDK has unwrapped the envelope, Anthropic's has not."""
    body: Any = error.body
    inner = body.get("error", body) if isinstance(body, dict) else body
    told = inner if isinstance(inner, dict) else {"message": inner if inner is not None else str(error)}
    return Failure(type(error).__name__, status, *(told.get(name) for name in ("message", "type", "param", "code")))


def _telling(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name.lower() in TELLING or name.lower().startswith(PREFIXES)}
