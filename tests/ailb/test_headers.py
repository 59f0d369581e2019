import pytest

from ailb.headers import passed_on

ALWAYS = [
    "openai-processing-ms",
    "openai-version",
    "request-id",
    "x-ratelimit-remaining-tokens",
    "anthropic-ratelimit-x",
    "ratelimit-reset",
]
ON_ERRORS = ["retry-after", "retry-after-ms", "x-should-retry"]
NEVER = [
    "set-cookie",
    "location",
    "server",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "x-request-id",
    "openai-organization",
    "anthropic-organization-id",
    "cf-ray",
    "authorization",
    "access-control-allow-origin",
]


@pytest.mark.parametrize("name", ALWAYS)
@pytest.mark.parametrize("error", [True, False])
def test_passed_on_always(name: str, error: bool) -> None:
    assert {name: "1"} == passed_on({name.title(): "1"}, error=error)


@pytest.mark.parametrize("name", ON_ERRORS)
def test_passed_on_with_errors_only(name: str) -> None:
    assert {name: "1"} == passed_on({name.upper(): "1"}, error=True)
    assert {} == passed_on({name: "1"})


@pytest.mark.parametrize("name", NEVER)
@pytest.mark.parametrize("error", [True, False])
def test_never_passed_on(name: str, error: bool) -> None:
    assert {} == passed_on({name: "1"}, error=error)
