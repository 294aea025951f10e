"""What a reply means."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.delivery.verdict import MESSAGE_LIMIT, OPENAI, WEBHOOK, Verdict, judge, table_of
from tests.core.delivery_parts import refusal, reply

TOO_LARGE = "Request too large for gpt-6-luna in organization org-x on tokens per min (TPM): Limit 10, Requested 99."

# what the API says -> what follows
OPENAI_REPLIES: dict[str, tuple[httpx.Response, Verdict]] = {
    "200": (reply(200), Verdict.DELIVERED),
    "201": (reply(201), Verdict.DELIVERED),
    "204": (reply(204, b""), Verdict.DELIVERED),
    "200 with an error inside": (refusal(200, "invalid_api_key"), Verdict.DELIVERED),
    "200 with a page": (reply(200, b"<html>Sign in", content_type="text/html; charset=utf-8"), Verdict.REJECTED),
    "307": (reply(307, b"", location="https://elsewhere.example"), Verdict.REJECTED),
    "400": (refusal(400), Verdict.REJECTED),
    "401": (refusal(401), Verdict.ABORT),
    "403": (refusal(403), Verdict.ABORT),
    "404": (refusal(404, "model_not_found"), Verdict.REJECTED),
    "408": (refusal(408), Verdict.RETRY),
    "409": (refusal(409), Verdict.RETRY),
    "413": (refusal(413), Verdict.REJECTED),
    "422": (refusal(422), Verdict.REJECTED),
    "429": (refusal(429, "rate_limit_exceeded"), Verdict.WAIT),
    "429 slow_down": (refusal(429, "slow_down"), Verdict.WAIT),
    "429 without a body": (reply(429, b""), Verdict.WAIT),
    "429 that no wait ends": (refusal(429, "rate_limit_exceeded", TOO_LARGE), Verdict.REJECTED),
    "429 insufficient_quota": (refusal(429, "insufficient_quota"), Verdict.ABORT),
    "429 of the quota's type": (reply(429, {"error": {"type": "insufficient_quota"}}), Verdict.ABORT),
    "429 of the quota's type beside another code": (
        reply(429, {"error": {"code": "new_word", "type": "insufficient_quota"}}),
        Verdict.ABORT,
    ),
    "429 credit_balance_exhausted": (refusal(429, "credit_balance_exhausted"), Verdict.ABORT),
    "429 organization_spend_limit_exceeded": (refusal(429, "organization_spend_limit_exceeded"), Verdict.ABORT),
    "429 project_spend_limit_exceeded": (refusal(429, "project_spend_limit_exceeded"), Verdict.ABORT),
    "429 organization_usage_limit_exceeded": (refusal(429, "organization_usage_limit_exceeded"), Verdict.ABORT),
    "400 billing_hard_limit_reached": (refusal(400, "billing_hard_limit_reached"), Verdict.ABORT),
    "400 invalid_api_key": (refusal(400, "invalid_api_key"), Verdict.ABORT),
    "500": (refusal(500), Verdict.RETRY),
    "501": (refusal(501), Verdict.RETRY),
    "502 of a proxy": (reply(502, b"<html>Bad Gateway"), Verdict.RETRY),
    "503": (refusal(503, "server_is_overloaded"), Verdict.RETRY),
    "500 with x-should-retry: false": (refusal(500, x_should_retry="false"), Verdict.REJECTED),
    "400 with x-should-retry: true": (refusal(400, x_should_retry="true"), Verdict.RETRY),
    "429 with x-should-retry: false": (refusal(429, x_should_retry="false"), Verdict.ABORT),
    "401 with x-should-retry: true": (refusal(401, x_should_retry="true"), Verdict.ABORT),
}

AZURE_FILTER = {
    "error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {
                "hate": {"filtered": False, "severity": "safe"},
                "violence": {"filtered": True, "severity": "medium"},
                "jailbreak": {"filtered": True, "detected": True},
            },
        },
    }
}
OPENAI_REPLIES |= {
    "400 of Azure's content filter": (reply(400, AZURE_FILTER), Verdict.REJECTED),
    "429 of Azure": (refusal(429, "429", "Requests have exceeded the call rate limit. Retry after 2 s."), Verdict.WAIT),
    "401 of Azure's gateway": (reply(401, {"statusCode": 401, "message": "Unauthorized."}), Verdict.ABORT),
    "404 of Azure": (refusal(404, "DeploymentNotFound"), Verdict.REJECTED),
    "400 of vLLM": (
        reply(400, {"object": "error", "message": "no", "type": "BadRequestError", "param": None, "code": 400}),
        Verdict.REJECTED,
    ),
}

WEBHOOK_REPLIES: dict[str, tuple[httpx.Response, Verdict]] = {
    "200": (reply(200), Verdict.DELIVERED),
    "204": (reply(204, b""), Verdict.DELIVERED),
    "302": (reply(302, b"", location="/"), Verdict.REJECTED),
    "400": (reply(400), Verdict.REJECTED),
    "401": (reply(401), Verdict.REJECTED),
    "404": (reply(404), Verdict.REJECTED),
    "408": (reply(408), Verdict.RETRY),
    "410": (reply(410), Verdict.ABORT),
    "425": (reply(425), Verdict.RETRY),
    "429": (reply(429), Verdict.WAIT),
    "429 insufficient_quota": (refusal(429, "insufficient_quota"), Verdict.WAIT),
    "500": (reply(500), Verdict.RETRY),
    "502": (reply(502), Verdict.RETRY),
    "504": (reply(504), Verdict.RETRY),
    "500 with x-should-retry: false": (reply(500, x_should_retry="false"), Verdict.RETRY),
}

# what stands in a refusal -> code, message, param
SAID: dict[str, tuple[Any, tuple[str, str, str | None]]] = {
    "the API's form": (
        {"error": {"message": "no such model", "type": "invalid_request_error", "param": "model", "code": "nix"}},
        ("nix", "no such model", "model"),
    ),
    "no code": ({"error": {"message": "no", "type": "invalid_request_error"}}, ("invalid_request_error", "no", None)),
    "a number for a code": ({"error": {"message": "no", "code": 17}}, ("17", "no", None)),
    "an error that is a text": ({"error": "out of order"}, ("http_418", "out of order", None)),
    "FastAPI's form": ({"detail": [{"loc": ["q"]}]}, ("http_418", "[{'loc': ['q']}]", None)),
    "no error": ({"message": "tea only"}, ("http_418", "tea only", None)),
    "a list": ([1], ("http_418", "the server answered 418 I'm a teapot", None)),
    "null": (b"null", ("http_418", "the server answered 418 I'm a teapot", None)),
    "HTML": (b"<html>", ("http_418", "the server answered 418 I'm a teapot", None)),
    "nothing": (b"", ("http_418", "the server answered 418 I'm a teapot", None)),
    "a key": (
        {"error": {"message": "Incorrect API key: sk-proj-0123456789abc"}},
        ("http_418", "Incorrect API key: sk-***", None),
    ),
    "a huge integer": (
        b'{"error": {"code": %s}}' % (b"9" * 4300),
        ("9" * 100, "the server answered 418 I'm a teapot", None),
    ),
}


@pytest.mark.parametrize("case", OPENAI_REPLIES)
def test_a_reply_of_the_api_has_its_verdict(case: str) -> None:
    """Codes and types win over messages, and these over statuses."""
    response, verdict = OPENAI_REPLIES[case]
    assert verdict is judge(response, OPENAI).verdict


@pytest.mark.parametrize("case", WEBHOOK_REPLIES)
def test_a_reply_of_a_webhook_has_its_verdict(case: str) -> None:
    """Only 2xx is success, 3xx is a refusal, 410 stops, 429 waits; OpenAI's codes mean nothing here."""
    response, verdict = WEBHOOK_REPLIES[case]
    assert verdict is judge(response, WEBHOOK).verdict


@pytest.mark.parametrize("case", SAID)
def test_an_error_says_what_the_server_said(case: str) -> None:
    """Code, message and param are the server's, or tell its status; no secret is among them."""
    body, said = SAID[case]
    error = judge(reply(418, body), OPENAI).error
    assert error is not None
    assert (*said, 418) == (error.code, error.message, error.param, error.status)


def test_a_delivery_has_no_error() -> None:
    """There is an error exactly when something went wrong."""
    assert judge(reply(), OPENAI).error is None


def test_a_message_is_bounded() -> None:
    """A message of megabytes does not go into rows and logs; and a secret at its end is not cut into sight."""
    error = judge(refusal(400, message="x " * 240 + "sk-proj-0123456789abcdef" + "y" * 10_000), OPENAI).error
    assert error is not None
    assert len(error.message) <= MESSAGE_LIMIT
    assert "sk-p" not in error.message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "message", "code", "type", "param", "detail"]) | st.text(), inner)
    ),
    max_leaves=10,
)
bodies = (
    st.binary(max_size=200)
    | json_values.map(lambda value: reply(500, value).content)
    | st.sampled_from([b"[" * 5000, b"[" * 900 + b"]" * 900, b'{"error":' * 300 + b"1" + b"}" * 300, b"1e999", b"NaN"])
)


@given(status=st.integers(100, 599), body=bodies, should_retry=st.sampled_from(["", "true", "false", "TRUE", "x"]))
def test_no_reply_breaks_the_judge(status: int, body: bytes, should_retry: str) -> None:
    """Whatever the server sends, it is judged, and what is said of it can be written as UTF-8."""
    response = httpx.Response(status, content=body, headers={"x-should-retry": should_retry})
    for table in (OPENAI, WEBHOOK):
        judgement = judge(response, table)
        assert (judgement.error is None) == (judgement.verdict is Verdict.DELIVERED) == (200 <= status < 300)
        if judgement.error is not None:
            str(judgement.error.as_row()).encode()
            assert 0 < len(judgement.error.message) <= MESSAGE_LIMIT


def test_azures_content_filter_says_what_it_found() -> None:
    """The categories stand in the message, with the code of the refusal."""
    error = judge(reply(400, AZURE_FILTER), OPENAI).error
    assert error is not None
    assert "content_filter" == error.code
    assert error.message.endswith("(filtered: violence, jailbreak)")


@pytest.mark.parametrize(
    "inner", [None, 5, "x", [], {}, {"content_filter_result": None}, {"content_filter_result": {"hate": 1}}]
)
def test_an_inner_error_of_another_form_is_left(inner: Any) -> None:
    """Nothing is added for what nobody knows."""
    error = judge(reply(400, {"error": {"message": "no", "innererror": inner}}), OPENAI).error
    assert error is not None
    assert "no" == error.message


@pytest.mark.parametrize(
    ("path", "message", "verdict"),
    [
        ("/embeddings", "Invalid URL (POST /embeddings)", Verdict.ABORT),
        ("/embeddings", "Invalid URL in the input", Verdict.REJECTED),
        ("/files/{file_id}", "Invalid URL (GET /files/x)", Verdict.REJECTED),
    ],
)
def test_a_path_that_is_not_there_stops_where_no_record_has_a_part_in_it(
    path: str, message: str, verdict: Verdict
) -> None:
    """It is the address that is wrong, and it is named."""
    judgement = judge(refusal(404, message=message), table_of(path))
    assert judgement.error is not None
    is_named = "Base URL: nothing is there; OpenAI's ends in /v1" in judgement.error.message
    assert (verdict, verdict is Verdict.ABORT) == (judgement.verdict, is_named)


@pytest.mark.parametrize("body", [b"<html>404 Not Found</html>", b"", b"404 page not found", {"detail": "Not Found"}])
def test_a_404_of_no_api_hints_at_the_base_url(body: Any) -> None:
    """Whoever gave a wrong address reads of it in the first rejection already."""
    error = judge(reply(404, body), OPENAI).error
    assert error is not None
    assert "look at the connection's base URL" in error.message


@pytest.mark.parametrize(
    ("body", "table"),
    [
        ({"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}, OPENAI),
        ({"object": "error", "message": "The model `x` does not exist", "code": 404}, OPENAI),
        ({"detail": "Not Found"}, WEBHOOK),
    ],
    ids=["OpenAI", "vLLM", "a webhook"],
)
def test_a_404_of_an_api_hints_at_nothing(body: Any, table: Any) -> None:
    """An API that answers is at the right address; and a webhook has another."""
    error = judge(reply(404, body), table).error
    assert error is not None
    assert "base URL" not in error.message
