"""The origin pin: a path or URL of a Dag author never carries the key away."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_openai_dest.connection.client import new_client
from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.connection.url import encode_path_value, encode_query_value, resolve_target
from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError

BASE = "https://api.openai.com/v1"
KEY = "sk-proj-the-key-of-this-connection"

HOSTILE = [
    # other hosts, schemes and ports
    "https://evil.example/x",
    "http://evil.example/x",
    "HTTPS://EVIL.EXAMPLE/x",
    "http://api.openai.com/v1/responses",
    "https://api.openai.com:8443/v1/responses",
    "https://api.openai.com:80/v1/responses",
    "https://api.openai.com:0/v1/responses",
    "https://api.openai.com:99999/v1/responses",
    "https://api.openai.com:/v1/responses",
    "https://api.openai.com.evil.example/v1/responses",
    "https://evil.example/api.openai.com/v1/responses",
    "https://openai.com/v1/responses",
    "https://xapi.openai.com/v1/responses",
    "https://api.openai.com./v1/responses",
    "https://api.openai.com%2eevil.example/v1/responses",
    "https://api.openai.com%00.evil.example/v1/responses",
    "https://[::ffff:169.254.169.254]/latest",
    "https://169.254.169.254/latest",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://127.1/",
    "https://0177.0.0.1/",
    "https:///v1/responses",
    "https:/evil.example/x",
    "https:evil.example/x",
    "https://",
    "file:///etc/passwd",
    "ftp://api.openai.com/v1/responses",
    "javascript:alert(1)",
    "data:text/plain,x",
    "unix:/var/run/docker.sock",
    "localhost:8080/x",
    # network paths and backslashes
    "//evil.example/x",
    "///evil.example/x",
    "/\\evil.example/x",
    "\\\\evil.example\\x",
    "\\evil.example",
    "https://api.openai.com\\@evil.example/",
    "https:\\\\evil.example\\x",
    "/responses\\..\\..\\admin",
    # user info
    "https://api.openai.com@evil.example/x",
    "https://good.example@169.254.169.254/",
    "https://user:password@api.openai.com/v1/responses",
    "https://api.openai.com:443@evil.example/x",
    "https://@api.openai.com/v1/responses",
    "@evil.example/x",
    # fragments
    "https://api.openai.com#@evil.example/",
    "/responses#top",
    "#",
    # the way out of the path
    "..",
    ".",
    "../x",
    "../../x",
    "/../x",
    "/./x",
    "/files/..",
    "/files/../../admin",
    "/files/./x",
    "https://api.openai.com/v1/../admin",
    "/files/..;/admin",
    "/files/..;a=b/admin",
    "/files//content",
    "files//",
    "https://api.openai.com//v1/responses",
    # encoded
    "..%2f..%2fx",
    "/%2e%2e/x",
    "/%2E%2e/x",
    "/.%2e/x",
    "/%2e./x",
    "/%2e/x",
    "/files/%2f%2fevil.example",
    "/files/a%2Fb",
    "/files/a%5cb",
    "/files/a%5C..%5Cb",
    "/files/%252e%252e/x",
    "/files/%252Fx",
    "/files/%25252e%25252e/x",
    "/files/%2525252525252e/x",
    "/files/%00",
    "/files/%0d%0aX-Injected:1",
    "/files/%7f",
    "/files/%c0%ae%c0%ae/x",
    "/files/%c0%af",
    "/files/%ff",
    "/files/100%",
    "/files/%zz",
    "/files/..%3b/x",
    "/files/%2e%2e%3b/x",
    "/files/..%20/x",
    # characters that have no place in a URL
    "/a b",
    " /responses",
    "/responses ",
    "/responses\n",
    "/responses\r\nX-Injected: 1",
    "/responses\x00",
    "/responses\t",
    "/responses\x7f",
    "https://api.openai.com\t@evil.example/",
    "https://api.openai.com\n.evil.example/",
    "https://api\u3002openai.com/v1/responses",
    "https://\uff41pi.openai.com/v1/responses",  # a full-width a
    "https://\u0430pi.openai.com/v1/responses",  # a Cyrillic a
    "https://api.openai.com/v1/response\u017f",  # a long s
    "/files/\u2024\u2024/x",  # one-dot leaders
    "/files/\u2025/x",  # a two-dot leader
    "/files\uff0fx",  # a full-width slash
    "/\u202eresponses",
    "/\ufeffresponses",
    "/\ud800",
    "/files/{message.id}",
    "/files/<id>",
    '/files/"id"',
    "/files/a|b",
    "/files/a`b",
    "/files/a^b",
    "/files/[x]",
    # nothing
    "",
    "/",
    "?x=1",
    "https://api.openai.com",
    "https://api.openai.com/",
    "https://api.openai.com?x=1",
]

HARMLESS = {
    "responses": f"{BASE}/responses",
    "/responses": f"{BASE}/responses",
    "/responses?x=1": f"{BASE}/responses?x=1",
    "/files/file-abc/content": f"{BASE}/files/file-abc/content",
    "/files/": f"{BASE}/files/",
    "/files/report.2026.jsonl": f"{BASE}/files/report.2026.jsonl",
    "/files/...": f"{BASE}/files/...",
    "/files/.hidden": f"{BASE}/files/.hidden",
    "/models/ft:gpt-4o:acme::id": f"{BASE}/models/ft:gpt-4o:acme::id",
    "/models/gemini@001": f"{BASE}/models/gemini@001",
    "/files?purpose=batch&limit=10": f"{BASE}/files?purpose=batch&limit=10",
    "/files?include[]=a&after=x%2Fy%2e%2e": f"{BASE}/files?include[]=a&after=x%2Fy%2e%2e",
    "/search?q=../..//x?y": f"{BASE}/search?q=../..//x?y",
    "/files/caf%C3%A9": f"{BASE}/files/caf%C3%A9",
    "/files/100%25": f"{BASE}/files/100%25",
    "/files/a%20b": f"{BASE}/files/a%20b",
    "/files/a%5Bb%5D": f"{BASE}/files/a%5Bb%5D",
    "https://api.openai.com/v1/responses": f"{BASE}/responses",
    "https://api.openai.com:443/v1/responses": f"{BASE}/responses",
    "https://api.openai.com:0443/v1/responses": f"{BASE}/responses",
    "HTTPS://API.OpenAI.com/v1/responses?a=B": f"{BASE}/responses?a=B",
    "https://api.openai.com/v2/x": "https://api.openai.com/v2/x",
}


@pytest.mark.parametrize("target", HOSTILE, ids=ascii)
def test_a_hostile_target_is_refused_before_anything_is_sent(target: str) -> None:
    """A target that could lead elsewhere is a ConfigurationError."""
    with pytest.raises(ConfigurationError):
        resolve_target(BASE, target)


@pytest.mark.parametrize("target", HOSTILE, ids=ascii)
def test_the_client_itself_sends_the_key_nowhere_else(target: str) -> None:
    """Even a target that nobody resolved reaches only the connection's origin, or nothing at all."""
    seen: list[httpx.Request] = []

    def record(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    with new_client(ConnectionSettings(api_key=KEY), transport=httpx.MockTransport(record)) as client:
        try:
            client.post(target, content=b"{}")
        except (ConfigurationError, httpx.HTTPError, httpx.InvalidURL, UnicodeError):
            assert seen == []
    for request in seen:
        assert (request.url.scheme, request.url.host, request.url.port) == ("https", "api.openai.com", None)
        assert request.headers["Host"] == "api.openai.com"


@pytest.mark.parametrize(("target", "expected"), HARMLESS.items())
def test_a_harmless_target_is_resolved(target: str, expected: str) -> None:
    """A path is taken below the base URL, and a complete URL inside the origin as it is."""
    assert expected == resolve_target(BASE, target)


@pytest.mark.parametrize("target", HARMLESS)
def test_httpx_sends_what_was_resolved(target: str) -> None:
    """The resolved URL is the one that goes on the wire, byte for byte."""
    url = resolve_target(BASE, target)
    assert url == str(httpx.URL(url))


@pytest.mark.parametrize(
    ("base", "target", "expected"),
    [
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1/x", "http://127.0.0.1:8080/v1/x"),
        ("http://[::1]:8080", "http://[0:0::1]:8080/x", "http://[::1]:8080/x"),
        ("https://gw.example/team/openai", "/x", "https://gw.example/team/openai/x"),
        ("https://gw.example", "@x", None),
        ("https://gw.example", ".evil.example/x", "https://gw.example/.evil.example/x"),
        ("https://gw.example", ":8443/x", "https://gw.example/:8443/x"),
        ("http://gw.example", "http://gw.example:443/x", None),
        ("https://gw.example", "https://gw.example:80/x", None),
    ],
)
def test_other_base_urls_are_pinned_too(base: str, target: str, expected: str | None) -> None:
    """Ports, IPv6 and a base URL without a path change nothing: a slash always stands between the two."""
    if expected is None:
        with pytest.raises(ConfigurationError):
            resolve_target(base, target)
    else:
        assert expected == resolve_target(base, target)


def test_the_fault_names_the_target_but_no_credentials_or_query() -> None:
    """The message shows enough to find the target, and neither a password nor a query."""
    with pytest.raises(ConfigurationError) as caught:
        resolve_target(BASE, "https://user:hunter22@evil.example/path?token=abcdef")
    assert "evil.example/path" in str(caught.value)
    assert "hunter22" not in str(caught.value)
    assert "abcdef" not in str(caught.value)


@given(st.text(max_size=40))
@example("/responses")
def test_any_text_stays_at_the_origin_or_is_refused(target: str) -> None:
    """Whatever the text, the resolved URL has the connection's origin, for httpx as well."""
    try:
        url = httpx.URL(resolve_target(BASE, target))
    except ConfigurationError:
        return
    assert (url.scheme, url.host, url.port, url.userinfo) == ("https", "api.openai.com", None, b"")


@given(st.lists(st.sampled_from(["..", ".", "%2e", "%2f", "%5c", "%25", "/", "\\", "a", ";", "@", ":", "?", "//"])))
def test_no_mix_of_dots_and_slashes_leaves_the_base_path(parts: list[str]) -> None:
    """However dots, slashes and encodings are mixed, the path stays below the base URL's, also after decoding twice."""
    try:
        url = resolve_target(BASE, "/" + "".join(parts))
    except ConfigurationError:
        return
    path = httpx.URL(httpx.URL(url).path).path if "%" in url else httpx.URL(url).path
    assert path.startswith("/v1/")
    assert not {".", ".."} & set(path.replace("\\", "/").split("/"))


@given(st.text(max_size=30))
@example("a/b")
@example("%2e%2e")
@example("..")
@example("a b?c#d")
def test_a_record_value_is_exactly_one_segment(value: str) -> None:
    """A value stands as one segment that decodes to itself, or the record is rejected."""
    try:
        encoded = encode_path_value(value)
    except RecordError:
        return
    url = httpx.URL(resolve_target(BASE, f"/files/{encoded}/content"))
    assert url.raw_path == f"/v1/files/{encoded}/content".encode()
    assert url.path == f"/v1/files/{value}/content"
    assert not {"/", "?", "#", "\\"} & set(encoded)


@pytest.mark.parametrize(
    "value", ["", ".", "..", "a/b", "/", "a\\b", "..;x", "%2e%2e", "%2f", "%252e", "a\nb", "\x00", "\ud800", " .. "]
)
def test_an_unsafe_record_value_rejects_the_record(value: str) -> None:
    """A value that servers could read as more or less than one segment is a RecordError that does not show it."""
    with pytest.raises(RecordError) as caught:
        encode_path_value(value)
    assert caught.value.code == "unsafe_path_value"


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_a_record_value_is_exactly_one_query_value(value: str) -> None:
    """A value in a query decodes to itself and adds no parameter."""
    url = httpx.URL(resolve_target(BASE, f"/files?a={encode_query_value(value)}&b=2"))
    assert [("a", value), ("b", "2")] == url.params.multi_items()


def test_a_query_value_that_is_no_text_rejects_the_record() -> None:
    """A lone surrogate can't be sent, and costs only its own record."""
    with pytest.raises(RecordError) as caught:
        encode_query_value("\ud800")
    assert caught.value.code == "unsafe_path_value"


def test_the_length_of_a_value_never_stops_the_task() -> None:
    """A long value is sent, and refused by the server for its own record if it must be."""
    value = encode_path_value("%" * 10_000)
    assert resolve_target(BASE, f"/files/{value}").endswith("%25")


def test_there_are_enough_hostile_targets() -> None:
    """The table does not shrink."""
    assert len(set(HOSTILE)) >= 100
