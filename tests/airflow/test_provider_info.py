"""What Airflow is told of this provider: the connection forms, the modules, the settings."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest

from airflow_provider_openai_dest import __version__
from airflow_provider_openai_dest.connection import settings as api
from airflow_provider_openai_dest.connection import webhook_settings as webhook
from airflow_provider_openai_dest.connection.auth_fields import AUTH_MODES
from airflow_provider_openai_dest.connection.servers import SERVERS
from airflow_provider_openai_dest.connection.token_exchange import SUBJECT_TYPES, SUBJECTS
from airflow_provider_openai_dest.provider_info import get_provider_info

INFO: Any = get_provider_info()
CONNECTION_TYPES = {declared["connection-type"]: declared for declared in INFO["connection-types"]}
FIELDS = {"openai_dest": api.FIELDS, "openai_dest_webhook": webhook.FIELDS}
EXTRAS = {"openai_dest": api.EXTRAS, "openai_dest_webhook": webhook.EXTRAS}


def schema(name: str) -> dict[str, Any]:
    """Read one of the schemas that Airflow brings along."""
    found: dict[str, Any] = json.loads((Path(airflow.__file__).parent / name).read_text())
    return found


def test_airflow_accepts_the_provider_info() -> None:
    """What Airflow checks when it loads a provider holds."""
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


def test_the_form_is_as_airflow_documents_it() -> None:
    """Labels, fields and their types have the form of a provider.yaml, from Airflow 3.2 on."""
    declared = schema("provider.yaml.schema.json")["properties"]["connection-types"]
    if "conn-fields" not in declared["items"]["properties"]:
        pytest.skip("Airflow before 3.2 draws no fields from metadata")
    jsonschema.validate(INFO["connection-types"], declared)


def test_the_version_is_the_packages() -> None:
    """The file imports nothing, so its version is written twice and compared here."""
    assert INFO["versions"] == [__version__]


@pytest.mark.parametrize("conn_type", CONNECTION_TYPES)
def test_the_form_and_the_reading_agree(conn_type: str) -> None:
    """Every field of the form is read, and every setting is in the form, by the same name."""
    declared = CONNECTION_TYPES[conn_type]
    fields, extras = FIELDS[conn_type], EXTRAS[conn_type]
    by_attribute = {extras[name]: field["label"] for name, field in declared["conn-fields"].items()}
    relabelled = declared["ui-field-behaviour"]["relabeling"]
    assert by_attribute == {
        attribute: field.label for attribute, field in fields.items() if field.place.startswith("extra ")
    }
    assert relabelled == {field.place: field.label for field in fields.values() if not field.place.startswith("extra ")}
    assert {f"extra {name}" for name in declared["conn-fields"]} == {
        field.place for field in fields.values() if field.place.startswith("extra ")
    }


@pytest.mark.parametrize("conn_type", CONNECTION_TYPES)
def test_an_untouched_form_is_a_connection_in_order(conn_type: str) -> None:
    """The UI saves untouched fields as null, or with a default that nobody chose: there is none."""
    fields = CONNECTION_TYPES[conn_type]["conn-fields"]
    assert not any("default" in field["schema"] for field in fields.values())
    assert all("null" in field["schema"]["type"] for field in fields.values())
    extra = json.dumps(dict.fromkeys(fields))
    if conn_type == "openai_dest":
        assert api.read_settings(conn_type=conn_type, host="", password="sk-abcdefgh", port=0, extra=extra)
    else:
        secret = "whsec_" + "A" * 32
        assert webhook.read_webhook_settings(conn_type=conn_type, host="h.example", password=secret, extra=extra)


@pytest.mark.parametrize("conn_type", CONNECTION_TYPES)
def test_airflow_masks_no_field_that_is_not_secret(conn_type: str) -> None:
    """Airflow shows an extra as *** when its name has a word such as token in it; only the proxy may be."""
    names = CONNECTION_TYPES[conn_type]["conn-fields"]
    masked = {name for name in names if any(word in name for word in _sensitive_words())}
    assert masked == {name for name, field in names.items() if field["schema"].get("format") == "password"}


def _sensitive_words() -> frozenset[str]:
    words: frozenset[str] = import_module("airflow._shared.secrets_masker.secrets_masker").DEFAULT_SENSITIVE_FIELDS
    return words


@pytest.mark.parametrize("declared", CONNECTION_TYPES.values(), ids=CONNECTION_TYPES)
def test_the_hook_is_the_one_that_is_named(declared: dict[str, Any]) -> None:
    """The metadata and the hook's own words agree."""
    module, _, name = declared["hook-class-name"].rpartition(".")
    hook = getattr(import_module(module), name)
    assert (hook.conn_type, hook.hook_name) == (declared["connection-type"], declared["hook-name"])
    assert hook.conn_name_attr == "conn_id"
    assert hook.default_conn_name == f"{declared['connection-type']}_default"


@pytest.mark.parametrize("kind", ["hooks", "operators", "sensors", "triggers"])
def test_the_modules_exist(kind: str) -> None:
    """Every module that is named can be found, and belongs to an integration that is."""
    known = {integration["integration-name"] for integration in INFO["integrations"]}
    for entry in INFO[kind]:
        assert entry["integration-name"] in known
        missing = [name for name in entry["python-modules"] if find_spec(name) is None]
        assert missing == []


def test_the_settings_of_the_provider_have_defaults() -> None:
    """The section openai_dest can be left out of airflow.cfg."""
    options = INFO["config"]["openai_dest"]["options"]
    assert {name: option["default"] for name, option in options.items()} == {
        "results_path": "",
        "max_xcom_bytes": "49152",
        "check_models": "True",
    }


def test_the_lists_of_the_form_are_those_of_the_code() -> None:
    """The file imports nothing, so the kinds of server and authentication are written twice and compared here."""
    fields = CONNECTION_TYPES["openai_dest"]["conn-fields"]
    assert list(SERVERS) == fields["server"]["schema"]["enum"]
    assert list(AUTH_MODES) == fields["auth"]["schema"]["enum"]
    assert list(SUBJECTS) == fields["workload_identity_provider"]["schema"]["enum"]
    assert list(SUBJECT_TYPES) == fields["subject_type"]["schema"]["enum"]
