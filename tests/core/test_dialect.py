"""Dialect: an endpoint as one kind of server has it, and what it has not is told before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_openai_dest.connection.servers import CAPABILITIES, PATHS, SERVERS, Capabilities
from airflow_provider_openai_dest.endpoints.catalogue import ENDPOINTS, find_endpoint
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.dialect import Dialect
from airflow_provider_openai_dest.rendering.renderer import PackedRenderer, SingleRenderer
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sources.record import Record

AZURE = "https://r.openai.azure.com/openai"
CLASSIC = {"server": "azure_classic", "api_version": "2024-10-21"}


def dialect(**fields: Any) -> Dialect:
    """Give the dialect of a server, with what it can."""
    return Dialect(**{"can": SERVERS[fields.get("server", "openai")].can} | fields)


def rendered(name: str, body: Any, **fields: Any) -> RenderedRequest:
    """Render one record."""
    form = RequestForm(dialect(**fields).spoken(find_endpoint(name)), base_url=AZURE)
    renderer = PackedRenderer if form.endpoint.packing else SingleRenderer
    (request,) = renderer(form, BodyTemplate(body)).render([Record(key="a", position=0, data={"q": "x"})])
    assert isinstance(request, RenderedRequest)
    return request


@pytest.mark.parametrize("name", ENDPOINTS)
def test_openai_has_every_endpoint_as_it_is(name: str) -> None:
    """For who speaks to OpenAI nothing is changed; the template is the very same."""
    endpoint = ENDPOINTS[name]
    assert endpoint is dialect().spoken(endpoint)
    assert endpoint is dialect(server="azure").spoken(endpoint)


@pytest.mark.parametrize(
    ("server", "name", "capability"),
    [
        ("vllm", "upload_file", "files"),
        ("vllm", "create_image", "images"),
        ("ollama", "create_speech", "audio"),
        ("ollama", "create_moderation", "moderations"),
        ("infinity", "create_response", "responses"),
        ("infinity", "create_chat_completion", "chat"),
    ],
)
def test_what_a_server_has_not_is_told(server: str, name: str, capability: str) -> None:
    """With the way to say otherwise, which holds."""
    with pytest.raises(ConfigurationError) as caught:
        dialect(server=server).spoken(find_endpoint(name))
    (fault,) = caught.value.faults
    assert f"{SERVERS[server].title} has no {find_endpoint(name).path}" in fault
    assert f'"capabilities": {{"{capability}": true}}' in fault
    can = SERVERS[server].can.but({capability: True})
    assert dialect(server=server, can=can).spoken(find_endpoint(name))


@pytest.mark.parametrize("server", ["ollama", "infinity", "other"])
def test_numbers_are_taken_where_base64_is_not_given(server: str) -> None:
    """The encoding is left out, and all else stays."""
    endpoint = dialect(server=server).spoken(find_endpoint("create_embedding"))
    assert {} == endpoint.defaults
    assert find_endpoint("create_embedding").packing == endpoint.packing


def test_dimensions_are_refused_where_no_model_takes_them() -> None:
    """They would be ignored, and the vectors have another length."""
    no = dialect(can=Capabilities(dimensions=False))
    assert no.spoken(find_endpoint("create_embedding"), {"model", "input"})
    with pytest.raises(ConfigurationError, match="dimensions"):
        no.spoken(find_endpoint("create_embedding"), {"model", "dimensions"})


@pytest.mark.parametrize(
    ("path", "works"),
    [
        ("/organization/projects", True),
        ("/projects/p/api_keys", True),
        ("organization/projects", True),
        (f"{AZURE}/organization/projects", True),
        ("/embeddings", False),
        ("https://elsewhere.example/organization/projects", False),
    ],
)
def test_an_admin_key_is_for_administration(path: str, works: bool) -> None:  # noqa: FBT001
    """OpenAI refuses it elsewhere, so nothing is sent."""
    endpoint = EndpointTemplate(name="mine", path=path, method="GET", content="none")
    if works:
        assert endpoint is dialect(base_url=AZURE, is_admin=True).spoken(endpoint)
        return
    with pytest.raises(ConfigurationError, match="admin key"):
        dialect(base_url=AZURE, is_admin=True).spoken(endpoint)


def test_the_model_names_the_deployment() -> None:
    """It stands in the path and no longer in the body, and the rate limit still knows it."""
    request = rendered("create_embedding", {"model": "embed small", "input": "{message.q}"}, **CLASSIC)
    assert f"{AZURE}/deployments/embed%20small/embeddings?api-version=2024-10-21" == request.url
    assert request.content == b'{"encoding_format":"base64","input":["x"]}'
    assert "embed small" == request.model


def test_one_deployment_may_serve_all() -> None:
    """Then no model is needed, and one that is there is sent."""
    for body, model in (({"messages": []}, ""), ({"messages": [], "model": "m"}, "m")):
        request = rendered("create_chat_completion", body, **CLASSIC, deployment="chat-1")
        assert f"{AZURE}/deployments/chat-1/chat/completions?api-version=2024-10-21" == request.url
        assert model == request.model


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/responses", "/responses?api-version=2024-10-21"),
        ("/files?limit=10", "/files?limit=10&api-version=2024-10-21"),
        ("/files?api-version=2025-01-01", "/files?api-version=2025-01-01"),
        ("/embeddings", "/deployments/{model}/embeddings?api-version=2024-10-21"),
        ("embeddings", "/deployments/{model}/embeddings?api-version=2024-10-21"),
        (f"{AZURE}/embeddings", "/deployments/{model}/embeddings?api-version=2024-10-21"),
        ("https://elsewhere.example/x", "https://elsewhere.example/x?api-version=2024-10-21"),
    ],
)
def test_every_path_has_the_version_once(path: str, expected: str) -> None:
    """Below the deployment only where the classic API has it."""
    assert expected == dialect(base_url=AZURE, **CLASSIC).spoken(EndpointTemplate(name="mine", path=path)).path


def test_the_tables_agree() -> None:
    """Every path needs a capability that there is, and every server is told by its own."""
    assert set(PATHS.values()) <= set(CAPABILITIES)
    assert all(set(CAPABILITIES) <= set(dir(server.can)) for server in SERVERS.values())


@pytest.mark.parametrize("name", [name for name, endpoint in ENDPOINTS.items() if endpoint.admin])
def test_every_administration_takes_an_admin_key(name: str) -> None:
    """Those that are elsewhere than the rest, as well."""
    assert dialect(is_admin=True).spoken(ENDPOINTS[name]) is ENDPOINTS[name]
