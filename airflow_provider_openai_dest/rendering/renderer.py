"""Renderer: records in, requests out. One record a request, or packed up to the endpoint's limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from msgspec.structs import replace

from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.duplicates import Claim, Duplicate, Key, Originals
from airflow_provider_openai_dest.rendering.head_room import HeadRoom, is_about_size
from airflow_provider_openai_dest.rendering.long_inputs import LongInputs
from airflow_provider_openai_dest.rendering.multipart import MultipartBody
from airflow_provider_openai_dest.rendering.packing import Packer, halved_values, halves, next_portion, packed_body
from airflow_provider_openai_dest.rendering.portion_memory import Paid, PortionMemory
from airflow_provider_openai_dest.rendering.portions import Portions
from airflow_provider_openai_dest.rendering.request import Member, Pack, RefusedRecord, RenderedRequest
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sources.record import Record

Rendered = RenderedRequest | RefusedRecord | Duplicate


class Renderer(Protocol):
    """Turns records into requests, streaming.

    A record that does not fit comes out as a RefusedRecord, and one that equals an earlier one may as a Duplicate.
    """

    def render(self, records: Iterable[Record]) -> Iterator[Rendered]:
        """Render the records in order."""

    def split(self, request: RenderedRequest, error: RecordError | None = None) -> Sequence[RenderedRequest]:
        """Cut a request that was refused with this error in two; empty when it can't be cut."""


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


def new_renderer(
    form: RequestForm,
    body: BodyTemplate,
    originals: Originals | None = None,
    long_inputs: LongInputs | None = None,
) -> Renderer:
    """Make the renderer of an endpoint: packed where it takes several records.

    :param originals: requests that are not sent again; None sends each.
    :param long_inputs: what becomes of packed inputs that are too long; None rejects them.
    """
    if form.endpoint.packing is None:
        return SingleRenderer(form, body, originals)
    return PackedRenderer(form, body, originals, long_inputs)
