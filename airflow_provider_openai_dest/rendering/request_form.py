"""Request form: what an endpoint template and a connection fix of a request, into which rendered bodies are put."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.body_fault import BodyFault, CheckBody
from airflow_provider_openai_dest.rendering.duplicates import Claim
from airflow_provider_openai_dest.rendering.encoding import as_text, encode_json, encode_text
from airflow_provider_openai_dest.rendering.file_references import FileReferences
from airflow_provider_openai_dest.rendering.image_rules import RULES
from airflow_provider_openai_dest.rendering.multipart import FilePart, MultipartBody, flat_fields
from airflow_provider_openai_dest.rendering.request import Following, Pack, RenderedRequest
from airflow_provider_openai_dest.rendering.request_headers import RequestHeaders
from airflow_provider_openai_dest.rendering.target import Target
from airflow_provider_openai_dest.rendering.tokens import BYTES_A_TOKEN
from airflow_provider_openai_dest.sources.record import Record

OUTPUT_BOUNDS = ("max_output_tokens", "max_completion_tokens", "max_tokens")
"""How the API's endpoints call the most tokens of an answer."""

MOST_DIGITS = 6


class RequestForm:
    """The parts of a request that an endpoint template fixes: method, URL, headers, form of the body.

    :param headers: headers of the Dag author's own; their values may hold placeholders.
    :param query: parameters of the URL beside those of the endpoint's path.
    :param check: finds what is wrong with a body; None looks for the required fields alone.
    :param has_rules: whether the rules of the endpoint, such as those of images, refuse a body.
    """

    def __init__(
        self,
        endpoint: EndpointTemplate,
        *,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        query: BodyTemplate | None = None,
        files: FileReferences | None = None,
        check: CheckBody | None = None,
        has_rules: bool = True,
    ) -> None:
        self.endpoint = endpoint
        self.target = Target(base_url, endpoint.path, query)
        self.files = files
        self._headers = RequestHeaders(headers or {})
        self._check = check
        self._rule = RULES.get(endpoint.name) if has_rules else None
        self._parts: dict[str, Any] = {"base_url": base_url, "query": query, "headers": headers, "files": files}

    def to(self, endpoint: EndpointTemplate) -> RequestForm:
        """Give the same parts for another endpoint, for bodies that were checked."""
        return RequestForm(endpoint, **self._parts)

    @property
    def uses_record(self) -> bool:
        """Whether more than the body may differ from one record to another."""
        return self.target.uses_record or self._headers.uses_record

    def checked(self, body: Any) -> Any:
        """Set the endpoint's defaults and refuse a body with faults, before it costs money; all of them are named."""
        if not isinstance(body, (dict, Mapping)):  # a dict is told ten times as fast
            if self.endpoint.required:
                raise RecordError("not_an_object", f"the body of {self.endpoint.name} must be an object")
            return body
        for name in self.endpoint.required:
            if body.get(name) is None:
                raise self._refusal(body)
        checked = {**self.endpoint.defaults, **body}
        if self._rule is not None:
            self._rule(checked)
        if self._check is not None and (faults := self._check(checked)):
            raise RecordError("invalid_body", _joined(faults), param=faults[0].param)
        return checked

    def _refusal(self, body: Mapping[str, Any]) -> RecordError:
        missing = missing_fields(self.endpoint, body)
        needed = f"{self.endpoint.name} needs {' and '.join(map(repr, missing))}"
        others = [fault for fault in self._check(body) if fault.param not in missing] if self._check else []
        return RecordError("missing_required_parameter", _joined([BodyFault("", needed), *others]), param=missing[0])

    def request(
        self,
        records: tuple[Record, ...],
        body: Any,
        *,
        pack: Pack | None = None,
        files: Sequence[FilePart] = (),
        claim: Claim | None = None,
        following: Following | None = None,
    ) -> RenderedRequest:
        """Put a rendered body into a request; raises RecordError when it can't be written exactly."""
        has_body = self.endpoint.content != "none"
        is_object = isinstance(body, (dict, Mapping))
        fields = dict(body) if is_object else {}
        model, images = fields.get("model"), self.endpoint.images_field
        url = self.target.fill(records[0].data, fields, body_is_query=not has_body)
        content, content_type = self._content(fields if is_object else body, files)
        return RenderedRequest(
            records=records,
            method=self.endpoint.method,
            url=url,
            content=content,
            content_type=content_type,
            headers=self._headers.fill(records[0].data),
            model=model if isinstance(model, str) else "",
            tokens=_estimated(pack, content),
            images=_asked(fields.get(images)) if images else 0,
            output_tokens=_output_bound(fields) if pack is None else 0,
            pack=pack,
            claim=claim,
            values=sum([len(member.values) for member in pack.members]) if pack else 0,
            following=following,
        )

    def _content(self, body: Any, files: Sequence[FilePart]) -> tuple[bytes | MultipartBody | None, str | None]:
        match self.endpoint.content:
            case "json":
                return encode_json(body), "application/json"
            case "multipart":
                fields, parts = self._taken_apart(body, files)
                if not parts and self.endpoint.goes_without_files:
                    return encode_json(fields), "application/json"
                form = MultipartBody(fields, parts)
                return form, form.content_type
            case "form":
                return urlencode(flat_fields(_as_fields(body))).encode(), "application/x-www-form-urlencoded"
            case "text":
                return encode_text(as_text(body)), "text/plain; charset=utf-8"
            case "none":
                return None, None

    def _taken_apart(self, body: Any, files: Sequence[FilePart]) -> tuple[dict[str, Any], list[FilePart]]:
        fields = _as_fields(body)
        parts = list(files)
        for name in self.endpoint.file_fields:
            if (value := fields.pop(name, None)) is not None:
                if self.files is None:
                    raise ConfigurationError(
                        f"{name!r} names a file, so files_root= must say in which folder such files are"
                    )
                parts += self.files.parts(name, value)
        return fields, parts


def missing_fields(endpoint: EndpointTemplate, body: Mapping[str, Any]) -> list[str]:
    """Name the required fields that a body lacks."""
    return [name for name in endpoint.required if body.get(name) is None]


def _joined(faults: Sequence[BodyFault]) -> str:
    return "; ".join(fault.text for fault in faults)


def _as_fields(body: Any) -> dict[str, Any]:
    if not isinstance(body, Mapping):
        raise RecordError("not_an_object", "a form needs an object as its body")
    return dict(body)


def _output_bound(fields: Mapping[str, Any]) -> int | None:
    """Give the most tokens that the answer may have, where the body bounds it; ``n`` is how many answers there are."""
    for name in OUTPUT_BOUNDS:
        if type(bound := fields.get(name)) is int and bound > 0:
            answers = fields.get("n")
            return bound * answers if type(answers) is int and answers > 0 else bound
    return None


def _asked(images: Any) -> int:
    """Give the number of images that a body asks for; the API's own number is 1."""
    text = str(images)
    return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < MOST_DIGITS else 1


def _estimated(pack: Pack | None, content: bytes | MultipartBody | None) -> int:
    if pack is not None:
        return sum(member.tokens for member in pack.members)
    return -(-len(content) // BYTES_A_TOKEN) if isinstance(content, bytes) else 0
