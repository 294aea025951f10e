"""The webhook inbox verifies, keeps and counts what it is sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from standardwebhooks import Webhook

from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.sandbox import DEMO_WEBHOOK_SECRET, running_sandbox
from airflow_provider_openai_dest.sandbox.answers import ApiError
from airflow_provider_openai_dest.sandbox.inbox import MOST_ITEMS, Inbox

BODY = json.dumps({"key": "a", "status": "delivered"})


def signed(webhook_id="msg_1", body=BODY, secret=DEMO_WEBHOOK_SECRET, age=timedelta(0)):
    sent_at = datetime.now(tz=UTC) - age
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, sent_at, body),
    }


def test_a_signed_webhook_is_kept_over_http():
    """A signed webhook arrives once however often it comes, a forged one gets 401, and reset empties the inbox."""
    with running_sandbox(webhook_secret=DEMO_WEBHOOK_SECRET) as sandbox, httpx.Client(trust_env=False) as client:
        first = client.post(sandbox.inbox_url, content=BODY, headers=signed())
        again = client.post(sandbox.inbox_url, content=BODY, headers=signed())
        forged = client.post(sandbox.inbox_url, content=BODY + " ", headers=signed("msg_2"))
        found, stats = sandbox.inbox(), sandbox.stats()
        limited = client.get(sandbox.inbox_url, params={"limit": 0}).json()
        sandbox.reset()
        emptied = sandbox.inbox()

    assert [(200, False), (200, True)] == [(answer.status_code, answer.json()["repeat"]) for answer in (first, again)]
    assert (401, "invalid_signature") == (forged.status_code, forged.json()["error"]["code"])
    assert {"received": 2, "distinct": 1, "repeats": 1, "refused": 1} == stats["webhooks"]
    assert [{"id": "msg_1", "verified": True, "deliveries": 2, "body": json.loads(BODY)}] == found["items"]
    assert stats["requests"] == {"POST /sandbox/inbox": {"200": 2, "401": 1}}
    assert (2, []) == (limited["received"], limited["items"])
    assert (0, []) == (emptied["received"], emptied["items"])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed() | {"webhook-signature": "v1,not base64!"},
        signed() | {"webhook-signature": "nonsense"},
        signed() | {"webhook-timestamp": "soon"},
        signed(secret="whsec_" + "c2Vj" * 8),
        signed(age=timedelta(hours=1)),
        signed(age=timedelta(hours=-1)),
        signed(body=BODY.upper()),
    ],
)
def test_a_wrong_signature_is_refused(headers):
    """What is not signed with the secret, or too old or too new, is refused with 401 and not kept."""
    inbox = Inbox(DEMO_WEBHOOK_SECRET)
    with pytest.raises(ApiError) as caught:
        inbox.receive(headers, BODY.encode())

    assert caught.value.status == 401
    assert {"received": 0, "distinct": 0, "repeats": 0, "refused": 1, "items": []} == inbox.as_json(9)


def test_without_a_secret_everything_is_kept_unverified():
    """Without a secret a webhook is kept as unverified, also without an id and with a body that is no JSON."""
    inbox = Inbox(None)
    for body in (b"\xff", b"{}", b"{}"):
        inbox.receive({}, body)

    assert ["�", {}, {}] == [item["body"] for item in inbox.as_json(9)["items"]]
    assert {(None, False)} == {(item["id"], item["verified"]) for item in inbox.as_json(9)["items"]}


def test_the_inbox_is_bounded_and_still_knows_repeats():
    """Only the last items are kept, but all are counted, and a repeat of one that is gone is still a repeat."""
    inbox = Inbox(None)
    for number in [*range(MOST_ITEMS + 5), 0]:
        inbox.receive({"webhook-id": str(number)}, b"{}")

    found = inbox.as_json(MOST_ITEMS + 5)
    assert (MOST_ITEMS, MOST_ITEMS + 5, 1) == (len(found["items"]), found["distinct"], found["repeats"])
    assert found["items"][0]["id"] == "5"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_a"])
def test_a_secret_that_is_none_is_refused(secret):
    """A secret that can't be read is refused at the start."""
    with pytest.raises(ConfigurationError, match="webhook_secret"):
        Inbox(secret)
