"""Inputs: what a command's options name: the account, the records, and what is made of them.

Without ``--conn-id`` and without a URI nothing of Airflow is imported, so that a command starts at once.
"""

from __future__ import annotations

import glob
import json
import os
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow_provider_openai_dest.answers.preview import shortened
from airflow_provider_openai_dest.checkpoint.fingerprint import fingerprint
from airflow_provider_openai_dest.connection.settings import CONN_TYPE, ConnectionSettings, read_settings
from airflow_provider_openai_dest.connection.token import TokenSource
from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.operators.inputs import dialect_of
from airflow_provider_openai_dest.rendering.body import BodyTemplate, default_body
from airflow_provider_openai_dest.rendering.duplicates import new_originals
from airflow_provider_openai_dest.rendering.file_references import FileReferences
from airflow_provider_openai_dest.rendering.renderer import new_renderer
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sinks.folder import Folder
from airflow_provider_openai_dest.sources.files import FilesSource
from airflow_provider_openai_dest.sources.quarantine import QuarantineSource, is_quarantine
from airflow_provider_openai_dest.sources.record import Source
from airflow_provider_openai_dest.validation.body_check import check_of, default_for

ENVIRONMENT = {"organization": "OPENAI_ORG_ID", "project": "OPENAI_PROJECT_ID"}
"""Extra fields of a connection, and the variables of OpenAI's own client that stand for them."""


def read_account(options: Namespace) -> tuple[ConnectionSettings, TokenSource | None]:
    """Read the Airflow connection that is named, else the variables that OpenAI's own client reads.

    Beside the settings it gives what holds the token, where that expires.
    """
    if options.conn_id:
        if options.base_url:
            raise ConfigurationError("--base-url is that of the connection: leave it out, or --conn-id")
        from airflow_provider_openai_dest.hooks.openai_dest import OpenAIDestHook
        from airflow_provider_openai_dest.operators.airflow_versions import AirflowNotFoundException

        hook = OpenAIDestHook(options.conn_id)
        try:
            return hook.settings, hook.tokens
        except AirflowNotFoundException:
            raise ConfigurationError(f"--conn-id {options.conn_id}: Airflow has no such connection") from None
    key = os.environ.get("OPENAI_API_KEY")
    if not key:
        raise ConfigurationError("no account: set OPENAI_API_KEY, or name an Airflow connection with --conn-id")
    settings = read_settings(
        conn_type=CONN_TYPE,
        password=key,
        host=options.base_url or os.environ.get("OPENAI_BASE_URL"),
        extra={name: os.environ[variable] for name, variable in ENVIRONMENT.items() if os.environ.get(variable)},
    )
    return settings, None


class Inputs:
    """Everything that is opened and read before something can be sent; raises ConfigurationError with the faults."""

    def __init__(self, options: Namespace) -> None:
        self._conn_id = options.conn_id or ""
        self.settings, self.tokens = read_account(options)
        self.endpoint = find_endpoint(options.endpoint)
        fields: Mapping[str, Any] = {"model": options.model} if options.model else {}
        body = default_body(self.endpoint, fields) if options.body is None else _text_of(options.body)
        self._template = [body, fields, options.missing]
        named = {**_fields_of(body), **fields}
        self.model = model if isinstance(model := named.get("model"), str) else None
        template = BodyTemplate(body, fields=fields, missing=options.missing)
        form = self._form(template, {*named}, options)
        self.renderer = new_renderer(form, template, new_originals(self.endpoint))
        self.source = open_input(options.input, key=options.key, file_format=options.input_format)

    def _form(self, template: BodyTemplate, named: set[str], options: Namespace) -> RequestForm:
        spoken = dialect_of(self.settings).spoken(self.endpoint, named)
        validate = options.validate or default_for(self.settings.server)
        in_url = {"model"} if self.settings.deployment else set()
        self.check = check_of(spoken, template, validate, in_url=in_url)
        return RequestForm(
            spoken,
            base_url=self.settings.base_url,
            files=_references(options.files_root),
            check=self.check,
            has_rules=validate == "strict",
        )

    @property
    def one_model(self) -> str | None:
        """Give the model when it is the same for all records; else None."""
        return self.model if self.model and "{" not in self.model else None

    def fingerprint(self) -> dict[str, str]:
        """Give what must not change when the same command is run again."""
        return fingerprint(
            connection=self._conn_id,
            origin=self.settings.address,
            organization=self.settings.organization,
            project=self.settings.project,
            endpoint=f"{self.endpoint.method} {self.endpoint.path}",
            model=self.model,
            template=self._template,
            source=self.source.fingerprint(),
        )


def open_input(pattern: str, *, key: str | None, file_format: str | None) -> Source:
    """Open the files of a path, with globs, or of a URI, which Airflow's object storage opens."""
    if "://" in pattern:
        from airflow_provider_openai_dest.operators.inputs import open_source

        return open_source(None, pattern, key=key, source_format=file_format)
    files = _found(pattern)
    if is_quarantine(files):
        return QuarantineSource(files, pattern)
    return FilesSource(files, key=key, file_format=file_format, name=os.path.abspath(pattern))  # noqa: PTH100 - a pattern


def open_results(place: str) -> Folder:
    """Open the folder that answers and state are kept in."""
    if "://" in place:
        from airflow_provider_openai_dest.operators.places import open_results as open_in_storage

        return open_in_storage(place)
    folder = Path(place).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"the folder {place} can't be made: {error.strerror}") from None
    return folder


def print_json(value: Any) -> None:
    """Print a value to standard output, where nothing else goes."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def without_vectors(value: Any, field: str | None) -> Any:
    """Give a JSON value with just the beginning of what stands in fields of this name; the results have all of it."""
    if isinstance(value, dict):
        return {
            name: shortened(item) if name == field else without_vectors(item, field) for name, item in value.items()
        }
    return [without_vectors(item, field) for item in value] if isinstance(value, list) else value


def _found(pattern: str) -> Sequence[Path]:
    path = Path(pattern)
    if path.is_file():
        return [path]
    found = sorted(path for name in glob.iglob(pattern, recursive=True) if (path := Path(name)).is_file())  # noqa: PTH207
    if not found:
        raise ConfigurationError(f"{pattern}: there is no such file")
    return found


def _text_of(body: str) -> str:
    if not body.startswith("@"):
        return body
    try:
        return Path(body[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--body {body}: can't be read: {error}") from None


def _fields_of(body: Any) -> Mapping[str, Any]:
    try:
        read = json.loads(body) if isinstance(body, str) else body
    except ValueError:  # one placeholder, or a fault that the template tells
        return {}
    return read if isinstance(read, dict) else {}


def _references(root: str | None) -> FileReferences | None:
    return None if root is None else FileReferences((root, str(Path(root).absolute())), Path)
