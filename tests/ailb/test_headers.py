import pytest

from ailb.headers import passed_on
from ailb.secret import Secret

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


@pytest.mark.parametrize("error", [True, False])
def test_known_secrets_are_not_passed_on(error: bool) -> None:
    headers = {"x-ratelimit-limit": "9 for hush-hush-hush", "request-id": "hush-hush-hush", "x-ratelimit-reset": "hush"}
    expected = {"x-ratelimit-limit": "9 for [hidden]", "request-id": "[hidden]", "x-ratelimit-reset": "hush"}
    assert expected == passed_on(headers, (Secret("hush-hush-hush"), Secret("hush")), error=error)


@pytest.mark.parametrize(
    "wait",
    ["0", "120", "1.5", " 3 ", "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_a_time_to_wait_is_a_number_or_a_date(wait: str) -> None:
    assert {"retry-after": wait} == passed_on({"Retry-After": wait}, error=True)


@pytest.mark.parametrize("wait", ["", "soon", "-1", "nan", "1e3", "5 http://host/v1", "Sun, 06 Nov 1994 08:49:37 GMT (hush)", "٣"])
def test_a_time_to_wait_that_is_none_is_left_out(wait: str) -> None:
    assert {"retry-after-ms": "7"} == passed_on({"Retry-After": wait, "retry-after-ms": "7"}, error=True)
