"""Diagnosis: which field of a connection is wrong, by what came back from a test request. Tables, no I/O."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from airflow_provider_openai_dest.connection.base_url import NOTHING_THERE
from airflow_provider_openai_dest.connection.servers import RESIDENCY_HOSTS


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an answer other than success means: the first whose status, code and words all fit.

    :param statuses: the HTTP statuses it stands for.
    :param words: a pattern to be found in the connection's ``auth`` and the error's code and message, in this order
        and in any case; empty fits all.
    :param meaning: which field is wrong and what to do.
    """

    statuses: range
    words: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Failure:
    """What it means when no answer came: the first whose exception and words fit anywhere in the chain of causes."""

    exception: type[BaseException]
    words: str
    meaning: str


def _status(first: int, last: int | None = None) -> range:
    return range(first, (last or first) + 1)


REFUSALS = (
    Refusal(
        _status(300, 399),
        "",
        "Base URL: it redirects elsewhere, and redirects are not followed; give the address it leads to",
    ),
    Refusal(
        _status(401),
        "incorrect_hostname|regional hostname",
        "Base URL: the project is at home in another region; give the host that the answer names, one of "
        f"{', '.join(f'https://{host}/v1' for host in RESIDENCY_HOSTS.values())}",
    ),
    Refusal(
        _status(401),
        "invalid subscription key",
        "API key or Base URL: Azure refuses the key; is it one of this resource, and is Server azure or azure_classic?",
    ),
    Refusal(
        _status(401, 403),
        "insufficient permissions|missing scopes",
        "API key: it is valid, but restricted; give it read permission for models, or test with a task",
    ),
    Refusal(
        _status(401, 403),
        "mismatched_project|no such project|invalid_project|header should match project",
        "Project: the API key does not belong to it; mend Project or leave it empty",
    ),
    Refusal(
        _status(401, 403),
        "mismatched_organization|no such organization|invalid_organization|header should match organization",
        "Organization: the API key does not belong to it; mend Organization or leave it empty",
    ),
    Refusal(
        _status(401, 403),
        r"\bip\b|ip_not_authorized",
        "Network: the organization or project refuses this machine's IP address",
    ),
    Refusal(_status(401), "member of an organization", "API key: its user belongs to no organization"),
    Refusal(
        _status(401),
        "^(azure|workload_identity|token_callable) ",
        "Authentication: the token is refused; is it for this server, and has its identity a part in the project?",
    ),
    Refusal(_status(401), "", "API key: it is refused; paste a valid one into the password"),
    Refusal(
        _status(403),
        "unsupported_country|country, region",
        "Network: OpenAI does not serve the country of this machine or its proxy",
    ),
    Refusal(_status(403), "project", "Project: it is archived, or the API key has no part in it"),
    Refusal(_status(403), "", "API key: it is known, but may not list models; or a gateway in between forbids it"),
    Refusal(_status(404, 405), "", NOTHING_THERE),
    Refusal(_status(407), "", "Proxy: it wants a user and password; give them in the proxy's URL"),
    Refusal(
        _status(429),
        "quota|billing|spend|credit|usage_limit",
        "Account: the API key is valid, but its quota or credit is used up; see the billing page",
    ),
    Refusal(
        _status(429), "", "Account: the API key is valid, but the account is at its rate limit right now; try again"
    ),
    Refusal(_status(400, 499), "", "Base URL: the server does not understand the question; is it an OpenAI API?"),
    Refusal(
        _status(500, 599), "", "Server: it has trouble of its own or can't be reached by its gateway; try again later"
    ),
)

FAILURES = (
    Failure(
        ssl.SSLCertVerificationError,
        "hostname mismatch|not valid for",
        "Base URL: the server's certificate is for another host name",
    ),
    Failure(
        ssl.SSLCertVerificationError,
        "",
        "CA bundle: the server's certificate is signed by nobody trusted; give the CA of your network in CA bundle",
    ),
    Failure(
        ssl.SSLError,
        "wrong_version_number|record layer failure",
        "Base URL: the server does not speak TLS there; is it http, or another port?",
    ),
    Failure(ssl.SSLError, "", "Base URL: no TLS connection could be made"),
    Failure(
        httpx.ProxyError, "407|authentication", "Proxy: it wants a user and password; give them in the proxy's URL"
    ),
    Failure(httpx.ProxyError, "", "Proxy: it refuses or can't reach the server"),
    Failure(socket.gaierror, "", "Base URL or network: the host name can't be resolved on this machine"),
    Failure(
        ConnectionRefusedError, "", "Base URL or network: nothing listens at that host and port (or at the proxy's)"
    ),
    Failure(httpx.ConnectTimeout, "", "Network: no connection in time; a firewall may want a proxy"),
    Failure(httpx.TimeoutException, "", "Network: connected, but no full answer in time"),
    Failure(httpx.ConnectError, "", "Base URL or network: no connection"),
    Failure(
        httpx.RemoteProtocolError,
        "complete message body",
        "Network: the connection was closed before the answer was whole; try again",
    ),
    Failure(
        httpx.RemoteProtocolError, "", "Base URL: the server does not speak HTTP there; is it https, or another port?"
    ),
    Failure(httpx.DecodingError, "", "Base URL: the answer's compression is broken; a gateway in between may spoil it"),
    Failure(
        ConnectionResetError,
        "",
        "Network: the server, or something between, closed the connection; try again, or look at firewall and proxy",
    ),
    Failure(httpx.HTTPError, "", "Network: the request failed"),
)


def refusal_meaning(status: int, text: str) -> str:
    """Say what an answer means by its status, and by ``auth`` and the code and message of its error."""
    for refusal in REFUSALS:
        if status in refusal.statuses and re.search(refusal.words, text, re.IGNORECASE):
            return refusal.meaning
    return "Base URL: the answer has an unknown status"


def failure_meaning(error: BaseException) -> str:
    """Say what it means that no answer came."""
    chain = list(_causes(error))
    for failure in FAILURES:
        for cause in chain:
            if isinstance(cause, failure.exception) and re.search(failure.words, str(cause), re.IGNORECASE):
                return failure.meaning
    return "Network: the request failed"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
