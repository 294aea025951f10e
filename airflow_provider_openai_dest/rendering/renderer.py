"""Renderer: records in, requests out. One record a request, or packed up to the endpoint's limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlencode

from msgspec.structs import replace

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.body_fault import BodyFault, CheckBody
from airflow_provider_openai_dest.rendering.duplicates import Claim, Duplicate, Key, Originals
from airflow_provider_openai_dest.rendering.encoding import as_text, encode_json, encode_text
from airflow_provider_openai_dest.rendering.file_references import FileReferences
from airflow_provider_openai_dest.rendering.head_room import HeadRoom, is_about_size
from airflow_provider_openai_dest.rendering.image_rules import RULES
from airflow_provider_openai_dest.rendering.long_inputs import LongInputs
from airflow_provider_openai_dest.rendering.multipart import FilePart, MultipartBody, flat_fields
from airflow_provider_openai_dest.rendering.packing import Packer, halved_values, halves, next_portion, packed_body
from airflow_provider_openai_dest.rendering.portion_memory import Paid, PortionMemory
from airflow_provider_openai_dest.rendering.portions import Portions
from airflow_provider_openai_dest.rendering.request import Following, Member, Pack, RefusedRecord, RenderedRequest
from airflow_provider_openai_dest.rendering.request_headers import RequestHeaders
from airflow_provider_openai_dest.rendering.target import Target
from airflow_provider_openai_dest.rendering.tokens import BYTES_A_TOKEN
from airflow_provider_openai_dest.sources.record import Record

OUTPUT_BOUNDS = ("max_output_tokens", "max_completion_tokens", "max_tokens")
"""How the API's endpoints call the most tokens of an answer."""

MOST_DIGITS = 6

Rendered = RenderedRequest | RefusedRecord | Duplicate


class Renderer(Protocol):
    """Turns records into requests, streaming.

    A record that does not fit comes out as a RefusedRecord, and one that equals an earlier one may as a Duplicate.
    """

    def render(self, records: Iterable[Record]) -> Iterator[Rendered]:
        """Render the records in order."""

    def split(self, request: RenderedRequest, error: RecordError | None = None) -> Sequence[RenderedRequest]:
        """Cut a request that was refused with this error in two; empty when it can't be cut."""


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
        if not isinstance(body, Mapping):
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
        fields = dict(body) if isinstance(body, Mapping) else {}
        model, images = fields.get("model"), self.endpoint.images_field
        url = self.target.fill(records[0].data, fields, body_is_query=not has_body)
        content, content_type = self._content(fields if isinstance(body, Mapping) else body, files)
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


class SingleRenderer:
    """One record, one request.

    :param originals: requests that are not sent again; None sends each.
    """

    def __init__(self, form: RequestForm, body: BodyTemplate, originals: Originals | None = None) -> None:
        self._form = form
        self._body = body
        self._originals = originals

    def render(self, records: Iterable[Record]) -> Iterator[Rendered]:
        """Render each record for itself."""
        for record in records:
            try:
                if record.fault:
                    raise record.fault
                request = self._request(record, self._form.checked(self._body.render(record.data)))
            except RecordError as error:
                yield RefusedRecord(record=record, error=error)
            else:
                yield request if self._originals is None else self._first_of(request, self._originals)

    def split(
        self,
        request: RenderedRequest,  # noqa: ARG002 - part of the protocol
        error: RecordError | None = None,  # noqa: ARG002
    ) -> Sequence[RenderedRequest]:
        """Never: there is only one record."""
        return ()

    def _request(self, record: Record, body: Any) -> RenderedRequest:
        return self._form.request((record,), body)

    def _first_of(self, request: RenderedRequest, originals: Originals) -> RenderedRequest | Duplicate:
        """Give the request when it is the first of its equals; a form with files is always."""
        if isinstance(request.content, MultipartBody):
            return request
        own = tuple([text for header in request.headers for text in header])
        key: Key = (request.method, request.url, request.content or b"", *own)
        if original := originals.find(key):
            return Duplicate(record=request.records[0], original=original)
        return replace(request, claim=Claim(originals, (key,)))


class PackedRenderer:
    """Several records a request, as the endpoint's packing allows.

    :param originals: texts that are not sent again; None sends each.
    :param long_inputs: what becomes of inputs that are too long.
    """

    def __init__(
        self,
        form: RequestForm,
        body: BodyTemplate,
        originals: Originals | None = None,
        long_inputs: LongInputs | None = None,
    ) -> None:
        if form.endpoint.packing is None:
            raise ConfigurationError(f"{form.endpoint.name} has no packing")
        if form.uses_record:
            raise ConfigurationError(
                f"{form.endpoint.name} packs records, so its URL can't differ from one to another, nor its headers"
            )
        self._form = form
        self._body = body
        self._packing = form.endpoint.packing
        self._originals = originals
        self._long_inputs = long_inputs
        self._head_room = HeadRoom(self._packing.max_tokens)
        self._memory: PortionMemory | None = None

    def keep_in(self, memory: PortionMemory) -> None:
        """Keep what is paid of records that take several requests, and begin with what earlier tries have kept."""
        self._memory = memory

    def render(self, records: Iterable[Record]) -> Iterator[Rendered]:
        """Collect records into packs and give each pack when it is full."""
        packer = Packer(
            self._packing,
            self._originals,
            long_inputs=self._long_inputs,
            head_room=self._head_room,
            memory=self._memory,
        )
        for record in records:
            try:
                if record.fault:
                    raise record.fault
                packs = list(packer.add(record, self._form.checked(self._body.render(record.data))))
            except RecordError as error:
                yield RefusedRecord(record=record, error=error)
            else:
                yield from self._rendered(packs)
        yield from self._rendered(packer.close())

    def split(self, request: RenderedRequest, error: RecordError | None = None) -> Sequence[RenderedRequest]:
        """Cut a pack in two halves; one of a single record only when it was too large, and its values are several."""
        if request.pack is None:
            return ()
        if error is not None:
            self._head_room.refused(request.tokens, error)
        if len(request.pack.members) > 1:
            return [self._request(half) for half in halves(request.pack)]
        first = halved_values(request.pack) if is_about_size(error) else None
        return [self._request(first)] if first else ()

    def _rendered(self, packs: Iterable[Pack | Duplicate]) -> Iterator[Rendered]:
        for pack in packs:
            if isinstance(pack, Duplicate):
                yield pack
                continue
            try:
                yield self._request(pack)
            except RecordError as error:
                for member in pack.members:
                    yield RefusedRecord(record=member.record, error=error, claim=self._claim([member]))

    def _request(self, pack: Pack) -> RenderedRequest:
        records = tuple(member.record for member in pack.members)
        body = packed_body(pack, self._packing)
        following = partial(self._following, pack) if pack.is_portion else None
        return self._form.request(records, body, pack=pack, claim=self._claim(pack.members), following=following)

    def _following(
        self, pack: Pack, items: Sequence[dict[str, Any]], usage: Mapping[str, Any] | None, cost: float | None
    ) -> RenderedRequest:
        """Keep what is paid of a record, of which these items have come, and render the request for what is left."""
        (member,) = pack.members
        known, paid = member.portions or Portions(), Paid(items=tuple(items), usage=usage, cost=cost)
        is_kept = self._memory is not None and (known.is_kept or not known.items)
        if self._memory and is_kept:
            is_kept = self._memory.keep(member.record, known.digest, paid, before=len(known.items))
        portions = replace(known, items=paid.items, usage=usage, cost=cost, is_kept=is_kept)
        member = next_portion(member, portions, self._packing, self._head_room.tokens)
        return self._request(Pack(rest=pack.rest, members=(member,)))

    def _claim(self, members: Iterable[Member]) -> Claim | None:
        return Claim(self._originals, tuple([member.key for member in members])) if self._originals else None


def new_renderer(form: RequestForm, body: BodyTemplate, *, deduplicate: bool | None = None) -> Renderer:
    """Make the renderer of an endpoint: packed where it takes several records.

    :param deduplicate: send equal requests once; None does so where the endpoint gives equal answers.
    """
    is_once = form.endpoint.deterministic if deduplicate is None else deduplicate
    originals = Originals(keeps_all=form.endpoint.packing is None) if is_once else None
    return (PackedRenderer if form.endpoint.packing else SingleRenderer)(form, body, originals)


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
