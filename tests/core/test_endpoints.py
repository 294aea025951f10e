"""Tests of the catalogue of endpoints."""

from __future__ import annotations

import dataclasses
import inspect
import pkgutil
import re
from types import ModuleType
from typing import Any

import pytest

from airflow_provider_openai_dest import endpoints
from airflow_provider_openai_dest.endpoints.absent import RETIRED
from airflow_provider_openai_dest.endpoints.catalogue import (
    ENDPOINTS,
    SECTIONS,
    find_endpoint,
    find_operation,
    templates_of,
)
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate, Packing
from airflow_provider_openai_dest.exceptions import ConfigurationError
from tests.core.rendering_parts import form

PACKING = Packing(request_field="input", response_items="data", max_records=1, max_tokens=1)

each_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=list(ENDPOINTS))


@each_endpoint
def test_an_endpoint_is_found_by_its_name(endpoint: EndpointTemplate) -> None:
    """Each endpoint is in the catalogue under its own name, a verb and a noun."""
    assert find_endpoint(endpoint.name) is endpoint
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", endpoint.name)


def test_each_file_of_literals_is_a_section() -> None:
    """A new file of endpoints/ is not forgotten, and no endpoint stands in two."""
    files = {module.name for module in pkgutil.iter_modules(endpoints.__path__)}

    assert files - {"absent", "catalogue", "template"} == {section.__name__.rpartition(".")[2] for section in SECTIONS}
    assert len(ENDPOINTS) == sum(len(list(templates_of(section))) for section in SECTIONS)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__.rpartition(".")[2])
def test_a_section_names_its_reference(section: ModuleType) -> None:
    """Its first line is a title and the page of OpenAI's reference, which the docs print."""
    first = (inspect.getdoc(section) or "").partition("\n")[0]

    assert re.fullmatch(r"[A-Z][^:]+: https://platform\.openai\.com/docs/api-reference/[a-z-]+\.", first)


@each_endpoint
def test_an_endpoint_has_a_url(endpoint: EndpointTemplate) -> None:
    """Each path can be sent, and what it takes from the body is required there."""
    body = dict.fromkeys(endpoint.required, "x")

    assert form(endpoint).target.fill(None, body, body_is_query=False).startswith("https://api.openai.com/v1/")
    assert set(re.findall(r"{(\w+)}", endpoint.path)) <= set(endpoint.required)


@each_endpoint
def test_an_endpoint_names_no_field_twice(endpoint: EndpointTemplate) -> None:
    """A field is required or optional, once; what has a default or holds a file is one of them."""
    names = [*endpoint.required, *endpoint.optional]

    assert sorted(set(names)) == sorted(names)
    assert {*endpoint.defaults, *endpoint.file_fields} <= {*names}


def test_an_author_s_own_endpoint_is_taken() -> None:
    """A template stands for itself where a name is expected."""
    own = EndpointTemplate(name="own", path="/own")

    assert find_endpoint(own) is own


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("create_embeding", "did you mean 'create_embedding'"),
        ("get_response", "did you mean 'delete_response' or 'create_response'"),
        ("grader", "did you mean 'run_grader' or 'validate_grader'"),
        ("chat", "known are: cancel_chatkit_session, create_chat_completion, create_chatkit_session, "),
        ("xyz", "known are: accept_realtime_call, "),
    ],
)
def test_a_misspelled_endpoint_is_told_the_nearest(name: str, told: str) -> None:
    """An unknown name is a ConfigurationError with the nearest ones, or with those of the same thing."""
    with pytest.raises(ConfigurationError, match=f"unknown endpoint '{name}': {told}") as caught:
        find_endpoint(name)
    assert len(str(caught.value)) < 2500


@pytest.mark.parametrize("name", RETIRED)
def test_a_retired_endpoint_is_told_what_became_of_it(name: str) -> None:
    """An endpoint that OpenAI took away is refused with what to use instead, and is not in the catalogue."""
    with pytest.raises(ConfigurationError, match=re.escape(RETIRED[name])):
        find_endpoint(name)
    assert name not in ENDPOINTS


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"content": "xml"}, "content='xml' must be one of json, multipart, form, text, none"),
        ({"answer": "text"}, "answer='text' must be one of json, file, any, ignored"),
        ({"method": "post"}, "method='post' must be in capitals, such as POST"),
        ({"method": "POST /x HTTP/1.1\r\n"}, "must be in capitals"),
        ({"method": ""}, "must be in capitals"),
        ({"file_fields": ("file",)}, "file_fields need content='multipart'"),
        ({"content": "multipart", "lines_field": "file"}, "lines_field='file' must be one of the file_fields"),
        ({"packing": PACKING}, "packing needs content='json', and 'input' among the required fields"),
        ({"packing": PACKING, "required": ("input",), "content": "form"}, "packing needs content='json'"),
    ],
)
def test_a_template_that_can_not_work_is_refused(fields: dict[str, Any], fault: str) -> None:
    """A fault in an author's own template is told when it is made, with the endpoint's name."""
    with pytest.raises(ConfigurationError) as caught:
        EndpointTemplate(name="own", path="/own", **fields)

    assert str(caught.value).startswith("endpoint 'own': ")
    assert fault in str(caught.value)


def test_all_faults_of_a_template_are_told_at_once() -> None:
    """A template with several faults names them all."""
    with pytest.raises(ConfigurationError) as caught:
        EndpointTemplate(name="own", path="/own", content="xml", method="get", answer="x")  # type: ignore[arg-type]

    assert len(caught.value.faults) == 3


def test_a_template_does_not_change() -> None:
    """A template is frozen, so that one task can't change another's."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        ENDPOINTS["create_embedding"].path = "/x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("method", "url", "name"),
    [
        ("POST", "/responses", "create_response"),
        ("GET", "/responses/resp_1?include=x", "retrieve_response"),
        ("POST", "https://api.openai.com/v1/chat/completions", "create_chat_completion"),
    ],
)
def test_a_request_by_hand_fails_as_the_endpoint_does(method: str, url: str, name: str) -> None:
    """What makes a 200 answer a failure holds for the same operation written by hand."""
    assert ENDPOINTS[name] is find_operation(method, url)
    assert ENDPOINTS[name].failed_when


def test_an_unknown_operation_has_no_failed_answers() -> None:
    """Nothing is guessed of an operation that no template declares."""
    assert find_operation("POST", "/responses/resp_1/other") is None


def test_a_request_by_hand_may_ask_for_a_failed_job() -> None:
    """An error that is part of what an endpoint asks for is so for the same operation written by hand."""
    job, response = find_operation("GET", "/fine_tuning/jobs/ftjob-1"), find_operation("POST", "/responses")
    assert job is not None
    assert response is not None
    assert (True, False) == (job.error_is_data, response.error_is_data)
    assert find_operation("POST", "/no/such/operation") is None


@pytest.mark.parametrize(
    ("method", "url", "name"),
    [
        ("POST", "/chat/completions", "create_chat_completion"),
        ("POST", "/completions", "create_completion"),
        ("GET", "/containers/c/files/f/content", "retrieve_container_file_content"),
        ("GET", "/files/f/content", "retrieve_file_content"),
        ("POST", "/organization/certificates/activate", "activate_organization_certificates"),
        ("POST", "/organization/certificates/cert_1", "update_certificate"),
        ("POST", "https://api.openai.com/v1/vector_stores/vs/files/?x=1", "create_vector_store_file"),
    ],
)
def test_an_operation_is_found_by_its_url(method: str, url: str, name: str) -> None:
    """The longest path counts, and a word before a gap, whatever stands before the path."""
    assert find_operation(method, url) is ENDPOINTS[name]


def test_each_endpoint_is_found_by_its_own_url() -> None:
    """No endpoint hides that of another operation."""
    for endpoint in ENDPOINTS.values():
        found = find_operation(endpoint.method, re.sub(r"{\w+}", "x", endpoint.path))
        assert found is not None
        assert endpoint.path == found.path
