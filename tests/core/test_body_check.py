"""Bodies are looked at before they are sent: what all records share once, the rest of each."""

from __future__ import annotations

import logging
import subprocess
import sys
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.endpoints.catalogue import ENDPOINTS, find_endpoint
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.validation.body_check import BodyCheck, check_of, names_of
from airflow_provider_openai_dest.validation.catalogue import MODELS, model_of
from tests.core.json_values import few_examples, json_values, python_values
from tests.core.rendering_parts import form

Body = dict[str, Any]

CHAT: Body = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": "hi"}]}
SPEECH: Body = {"model": "tts-1", "voice": "alloy", "input": "a"}
IMAGE: Body = {"model": "gpt-image-2", "prompt": "a kettle"}
EDIT: Body = {**IMAGE, "image": "a.png"}
SCHEMA: Body = {"type": "json_schema", "name": "n"}


def check(endpoint: str | EndpointTemplate, template: Any = "{message.json}", validate: Any = "strict") -> BodyCheck:
    """Give what looks at the bodies of a template."""
    found = check_of(find_endpoint(endpoint), BodyTemplate(template), validate)
    assert found is not None
    return found


def faults(endpoint: str, body: Body) -> list[str]:
    """Give what is wrong with the body of a record."""
    return [fault.text for fault in check(endpoint)(body)]


# the endpoint, a body, and all that is wrong with it
WRONG: dict[str, tuple[str, Body, list[str]]] = {
    "a bound": (
        "create_embedding",
        {"model": "m", "input": "a", "dimensions": 0},
        ["dimensions=0: should be greater than or equal to 1"],
    ),
    "a text for a number": (
        "create_image",
        {**IMAGE, "n": "2"},
        ["n: should be a valid integer"],
    ),
    "a truth value for a number": ("create_image", {**IMAGE, "n": True}, ["n=True: should be a valid integer"]),
    "a number for a text": ("create_image", {**IMAGE, "prompt": 7}, ["prompt=7: should be a valid string"]),
    "a word of a closed list": (
        "create_embedding",
        {"model": "m", "input": "a", "encoding_format": "base46"},
        ["encoding_format: should be 'base64' or 'float'"],
    ),
    "a long text": (
        "create_speech",
        {**SPEECH, "input": "a" * 4097},
        ["input: string should have at most 4096 characters"],
    ),
    "a list item": (
        "create_chat_completion",
        {**CHAT, "messages": [{"role": "user", "content": "a"}, {"content": "b"}]},
        ["messages[1].role is missing"],
    ),
    "an empty list": (
        "create_chat_completion",
        {**CHAT, "messages": []},
        ["messages: list should have at least 1 item, not 0"],
    ),
    "the form that comes nearest": (
        "create_moderation",
        {"input": [{"type": "image_url"}]},
        ["input[0].image_url is missing"],
    ),
    "of two forms that of its kind": (
        "create_response",
        {"model": "m", "input": "a", "text": {"format": SCHEMA}},
        ["text.format.schema is missing"],
    ),
    "a form's number": ("create_image_edit", {**EDIT, "n": "11"}, ["n: should be less than or equal to 10"]),
    "an inner object": (
        "upload_file",
        {"purpose": "batch", "file": "a", "expires_after": {"anchor": "created_at", "seconds": 1}},
        ["expires_after.seconds=1: should be greater than or equal to 3600"],
    ),
    "several": (
        "create_chat_completion",
        {**CHAT, "n": 129, "temperature": 3, "stop": ["a"] * 5},
        [
            "temperature=3: should be less than or equal to 2",
            "n=129: should be less than or equal to 128",
            "stop: list should have at most 4 items, not 5",
        ],
    ),
    "too much metadata": (
        "create_response",
        {"model": "m", "input": "a", "metadata": {str(n): "" for n in range(17)}},
        ["metadata: dictionary should have at most 16 items, not more"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_the_api_refuses_is_told_by_field(case: str) -> None:
    """Every fault of a body is named, by the field it is in; a text that may be long is not repeated."""
    endpoint, body, expected = WRONG[case]
    assert expected == faults(endpoint, body)


@pytest.mark.parametrize("endpoint", MODELS)
@few_examples
@given(st.data())
def test_any_body_is_judged(endpoint: str, data: st.DataObject) -> None:
    """Whatever stands in a record's body, the check ends with faults of fields that are known, or with none."""
    model = model_of(ENDPOINTS[endpoint])
    assert model is not None
    names = sorted(names_of(model))
    body = data.draw(st.dictionaries(st.sampled_from(names), json_values | python_values, max_size=4))
    for fault in check(endpoint)(body):
        assert fault.param.partition(".")[0].partition("[")[0] in names
        assert fault.param in fault.text


RIGHT: dict[str, tuple[str, Body]] = {
    "a model that came today": ("create_embedding", {"model": "text-embedding-9", "input": "a"}),
    "a size, quality and format that came today": (
        "create_image",
        {**IMAGE, "size": "4096x4096", "quality": "ultra", "output_format": "avif"},
    ),
    "a field that came today": ("create_response", {"model": "m", "input": "a", "thoughts": {"depth": 3}}),
    "null, where nothing is wanted": ("create_response", {"model": "m", "input": "a", "temperature": None}),
    "a whole number for a decimal": ("create_speech", {**SPEECH, "speed": 1}),
    "a date, which is written as text": ("create_speech", {**SPEECH, "input": date(2026, 11, 28)}),
    "a tuple, which is written as a list": ("create_moderation", {"input": ("a", "b")}),
    "an id": ("create_response", {"model": "m", "input": "a", "user": UUID(int=7)}),
    "numbers of a form as texts": ("create_transcription", {"model": "m", "file": "a.mp3", "temperature": "0.5"}),
    "a prompt in the place of model and input": ("create_response", {"prompt": {"id": "pmpt_1"}}),
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_the_api_may_take_passes(case: str) -> None:
    """What is newer than this package, or written in a way that the API takes, is sent."""
    assert [] == faults(*RIGHT[case])


def test_an_unknown_field_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """It may be newer than the package, or misspelt: one warning for all records, and each is sent."""
    looks = check("create_response")
    for number in range(3):
        assert () == looks({"model": "m", "input": "a", "temprature": number})
    assert ["create_response: the field 'temprature' is not known to this version; it is sent as it is"] == [
        logged.getMessage() for logged in caplog.records
    ]


# -- what all records share --------------------------------------------------------------------------


def test_the_faults_of_all_records_are_told_at_once() -> None:
    """A template whose constants are wrong is refused before the first record, with all faults."""
    template = {"model": 7, "input": "{message.q}", "dimensions": -1, "encoding_format": "x"}
    with pytest.raises(ConfigurationError) as caught:
        check("create_embedding", template)
    assert (
        "create_embedding: model=7: should be a valid string",
        "create_embedding: dimensions=-1: should be greater than or equal to 1",
        "create_embedding: encoding_format: should be 'base64' or 'float'",
    ) == caught.value.faults


def test_what_all_records_share_is_not_looked_at_again() -> None:
    """Only the fields that placeholders fill are looked at for each record."""
    looks = check("create_response", {"model": "m", "input": "{message.q}", "temperature": 1})
    assert () == looks({"model": "m", "input": "a", "temperature": 99})
    assert ["input"] == [fault.param for fault in looks({"model": "m", "input": 7, "temperature": 99})]


NOTHING_LEFT: dict[str, tuple[str, Any, Any]] = {
    "constants": ("create_response", {"model": "m", "input": "a"}, "strict"),
    "texts that are packed, which the packer looks at": (
        "create_embedding",
        {"model": "m", "input": "{message.q}"},
        "strict",
    ),
    "nothing, when it is off": ("create_response", "{message.json}", "off"),
    "an endpoint without a model": ("create_conversation", "{message.json}", "strict"),
}


@pytest.mark.parametrize("case", NOTHING_LEFT)
def test_where_nothing_is_left_to_look_at_nothing_is_done(case: str) -> None:
    """A record costs nothing then."""
    endpoint, template, validate = NOTHING_LEFT[case]
    assert check_of(find_endpoint(endpoint), BodyTemplate(template), validate) is None


def test_a_field_that_no_body_has_is_missing_at_once() -> None:
    """A request written by hand lacks a field for every record."""
    by_hand = EndpointTemplate(name="POST /audio/speech", path="/audio/speech", answer="any")
    with pytest.raises(ConfigurationError, match="voice is missing"):
        check(by_hand, {"model": "tts-1", "input": "{message.q}"})


def test_a_request_by_hand_has_the_model_of_its_operation() -> None:
    """It is known by method, path and form of the body."""
    by_hand = EndpointTemplate(name="mine", path="/embeddings")
    assert model_of(find_endpoint("create_embedding")) is model_of(by_hand)
    assert model_of(EndpointTemplate(name="mine", path="/embeddings", method="PUT")) is None
    assert model_of(EndpointTemplate(name="mine", path="/images/edits", content="form")) is None


# -- warn --------------------------------------------------------------------------------------------


def test_warn_sends_and_tells_the_first_of_each_kind(caplog: pytest.LogCaptureFixture) -> None:
    """Faults are logged once a kind, whatever the place in a list, and counted in the end."""
    caplog.set_level(logging.WARNING)
    looks = check("create_chat_completion", validate="warn")
    for messages in ([{"content": "a"}], [{"role": "user"}, {"content": "a"}]):
        assert () == looks({**CHAT, "messages": messages})
    looks.tell_sent()
    first, end = [logged.getMessage() for logged in caplog.records]
    assert "create_chat_completion: messages[0].role is missing; it is sent, since validate is 'warn'" == first
    assert end.endswith("faults of bodies that were sent: messages.role missing (2)")


def test_warn_tells_the_faults_of_all_records_once(caplog: pytest.LogCaptureFixture) -> None:
    """They do not stop the task."""
    check("create_response", {"model": "m", "input": "{message.q}", "temperature": 9}, "warn").tell_sent()
    (logged,) = caplog.records
    assert "temperature=9" in logged.getMessage()


# -- in a form ---------------------------------------------------------------------------------------


def test_a_record_is_refused_with_all_faults() -> None:
    """What is missing and what is wrong stand in one message; the code is that of the first."""
    whole = form("create_speech", check=check("create_speech"))
    with pytest.raises(RecordError) as caught:
        whole.checked({"model": "m", "speed": 9})
    assert ("missing_required_parameter", "input") == (caught.value.code, caught.value.param)
    assert "create_speech needs 'input' and 'voice'; speed=9: should be less than or equal to 4" == caught.value.message
    with pytest.raises(RecordError) as caught:
        whole.checked({**SPEECH, "speed": 9})
    assert ("invalid_body", "speed") == (caught.value.code, caught.value.param)


# -- cost --------------------------------------------------------------------------------------------


def test_models_are_loaded_only_by_a_run_that_validates() -> None:
    """Of the models just the section that is asked for is imported, and none by the renderer."""
    script = (
        "import sys\n"
        "import airflow_provider_openai_dest.rendering.renderer\n"
        "assert not [name for name in sys.modules if '.validation' in name]\n"
        "from airflow_provider_openai_dest.endpoints.catalogue import ENDPOINTS\n"
        "from airflow_provider_openai_dest.validation.catalogue import model_of\n"
        "model_of(ENDPOINTS['create_embedding'])\n"
        "print([name for name in sys.modules if name.endswith(('.validation.chat', '.validation.images'))])\n"
    )
    assert "[]\n" == subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", MODELS)
def test_each_model_is_that_of_an_endpoint(name: str) -> None:
    """The table names endpoints that there are, and models that can be built."""
    model = model_of(ENDPOINTS[name])
    assert model is not None
    assert model.model_json_schema()["type"] == "object"
