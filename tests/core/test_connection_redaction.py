"""Redaction: no text leaves with a secret in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.connection.redaction import redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("key sk-proj-abcdefgh_1-2 end", "key sk-*** end"),
        ("Incorrect API key provided: sk-ab*********wxyz", "Incorrect API key provided: sk-***"),
        ("'sk-abcdefgh'", "'sk-***'"),
        ("line\\nsk-abcdefgh", "line\\nsk-***"),
        ("OPENAI_sk-abcdefgh", "OPENAI_sk-***"),
        ("a risk-based and desk-bound task-force", "a risk-based and desk-bound task-force"),
        ("Authorization: Bearer abc.def-123", "Authorization: ***"),
        ("{'Authorization': 'Bearer abc'}", "{'Authorization': '***'}"),
        ('"authorization":"Basic dXNlcjpwdw=="', '"authorization":"***"'),
        ("Proxy-Authorization: Basic dXNlcjpwdw==", "Proxy-Authorization: ***"),
        ("a bearer token", "a bearer ***"),
        ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_***"),
        ("api-key: abcdef", "api-key: ***"),
        ('"api_key": "abcdef"', '"api_key": "***"'),
        ("x-api-key=abcdef&b=1", "x-api-key=***&b=1"),
        ('{"password": "a b", "token": "c"}', '{"password": "***", "token": "***"}'),
        ("https://user:pw@host.example/x", "https://***@host.example/x"),
        ("http://user:pw@proxy:3128, then", "http://***@proxy:3128, then"),
        ("https://h.example/x?a=1&token=abc&b=2", "https://h.example/x?a=1&token=***&b=2"),
        ("https://h.example/x?access_token=abc", "https://h.example/x?access_token=***"),
        ("https://h.example/x?X-Amz-Signature=abc", "https://h.example/x?X-Amz-Signature=***"),
        ("The model gpt-5 does not exist", "The model gpt-5 does not exist"),
        ("mail ada@example.com", "mail ada@example.com"),
    ],
)
def test_what_has_the_shape_of_a_secret_is_hidden(text: str, expected: str) -> None:
    """Keys, signing secrets, credentials and tokens are found by their shape, and other words stay."""
    assert expected == redact(text)


@pytest.mark.parametrize(
    "text", ["x hunter/22+ x", "x hunter%2F22%2B x", "x hunter/22%2B x", "hunter/22+", 'x hun"ter x', 'x hun\\"ter x']
)
def test_a_given_secret_is_hidden_in_each_of_its_spellings(text: str) -> None:
    """A known secret is found plain, percent-encoded and JSON-escaped."""
    assert "hun" not in redact(text, ("hunter/22+", 'hun"ter'))


def test_the_longer_secret_goes_first() -> None:
    """A secret inside another leaves no rest of the longer one."""
    assert redact("abcdef-tail", ("abcdef", "abcdef-tail")) == "***"


@pytest.mark.parametrize("secret", ["", "a", "abc"])
def test_a_secret_of_no_length_blots_out_nothing(secret: str) -> None:
    """Too short a secret would hide every text."""
    assert redact("an abc of things", (secret,)) == "an abc of things"


@given(st.text(), st.text(min_size=4, max_size=20), st.text())
def test_no_given_secret_survives(before: str, secret: str, after: str) -> None:
    """Whatever stands around it, a known secret is gone."""
    assert secret.strip("*") == "" or secret not in redact(before + secret + after, (secret,)).replace("***", "\0")


@given(st.text(st.sampled_from("sk-whsec_Bearer :@/?&=token*abc.\"' ")))
def test_redacting_twice_changes_nothing(text: str) -> None:
    """What was hidden stays readable as hidden."""
    assert redact(text) == redact(redact(text))
