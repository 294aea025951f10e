"""Packing: several records in one request, up to the endpoint's limits; and halving a refused one."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

from msgspec.structs import replace

from airflow_provider_openai_dest.endpoints.template import Packing
from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.rendering.duplicates import Duplicate, Key, Original, Originals
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.rendering.head_room import HeadRoom
from airflow_provider_openai_dest.rendering.long_inputs import LongInputs
from airflow_provider_openai_dest.rendering.portion_memory import Paid, PortionMemory, digest_of_input
from airflow_provider_openai_dest.rendering.portions import Chunk, Portions, take
from airflow_provider_openai_dest.rendering.request import Member, Pack
from airflow_provider_openai_dest.rendering.tokens import CountTokens
from airflow_provider_openai_dest.sources.record import Record

_TOKEN_BOUND = 1 << 32
_SURROGATE = re.compile("[\ud800-\udfff]")

OPEN_PACKS = 32
"""Packs kept open at once, for records whose other fields differ; beyond it the oldest is closed."""

MOST_DUPLICATES = 4096
"""Duplicates that may wait for what is in open packs; then these are closed, so that the records don't pile up."""


class Packer:
    """Collects records into packs: of equal other body fields, and either all texts or all lists of tokens.

    :param packing: the endpoint's limits.
    :param originals: what is not put in a pack again; None puts every record in one.
    :param long_inputs: what becomes of inputs that are too long.
    :param head_room: the tokens that are packed; None packs up to the endpoint's own limit.
    :param memory: what earlier tries have paid of records that take several requests; None begins all of them anew.
    """

    def __init__(
        self,
        packing: Packing,
        originals: Originals | None = None,
        *,
        long_inputs: LongInputs | None = None,
        head_room: HeadRoom | None = None,
        memory: PortionMemory | None = None,
    ) -> None:
        self._packing = packing
        self._originals = originals
        self._long_inputs = long_inputs or LongInputs()
        self._head_room = head_room or HeadRoom(packing.max_tokens)
        self._memory = memory
        self._begun = memory.begun if memory else ()
        self._measure: tuple[str, CountTokens, int] | None = None
        self._duplicates = 0
        self._shared = b""
        self._texts: dict[str, Any] | None = None
        self._open: dict[tuple[bytes, bool], _OpenPack] = {}

    def add(self, record: Record, body: dict[str, Any]) -> Iterator[Pack | Duplicate]:
        """Take one record and give the packs that it closed, or the duplicate that it is.

        Raises RecordError when its values can't be packed.
        """
        rest = {name: value for name, value in body.items() if name != self._packing.request_field}
        value = body[self._packing.request_field]
        values = own_values(value, self._packing)
        shared = self._shared_of(rest)
        key: Key = ()
        if self._originals is not None:
            key = (shared, value) if isinstance(value, str) else (shared, "json", encode_json(value))
            if original := self._originals.find(key):
                yield Duplicate(record=record, original=original)
                yield from self._close_for(original)
                return
        try:
            member = self._member(record, values, rest, is_list=values is value, key=key)
        except RecordError:
            if self._originals is not None:
                self._originals.withdraw(key)
            raise
        yield from self._put(member, rest, (shared, isinstance(member.values[0], str)))

    def _shared_of(self, rest: dict[str, Any]) -> bytes:
        """Write what is beside the values: the same for nearly all records, so that many keys hold one object."""
        if rest == self._texts:
            return self._shared
        shared = encode_json(rest)
        if shared != self._shared:
            self._shared = shared
            # Texts that are equal are written alike; 1, 1.0 and True are not.
            self._texts = rest if all(type(value) is str for value in rest.values()) else None
        return self._shared

    def close(self) -> Iterator[Pack]:
        """Give the packs that are still open."""
        while self._open:
            yield self._open.pop(next(iter(self._open))).close()

    def _member(
        self, record: Record, values: Sequence[Any], rest: dict[str, Any], *, is_list: bool, key: Key
    ) -> Member:
        """Make a record's part of a pack, cut where it is too long; RecordError when it may not be."""
        name = model if isinstance(model := rest.get("model"), str) else ""
        count, limit = self._measured_by(name)
        member = Member(record=record, values=values, tokens=sum(map(count, values)), is_list=is_list, key=key)
        chunks = None if member.tokens <= limit else self._long_inputs.cut(values, name, count, limit)
        is_begun = record.key in self._begun
        if chunks is None and not is_begun:
            return member
        digest, paid = "", None
        if self._memory:
            digest = digest_of_input(rest, values, None if chunks is None else (self._long_inputs, limit))
            paid = self._memory.paid(record.key, digest) if is_begun else None
        if chunks is not None:
            return self._first_portion(member, chunks, digest, paid)
        if paid is None:
            return member
        return self._first_portion(member, (Chunk(value, count(value)) for value in values), digest, paid)

    def _put(self, member: Member, rest: dict[str, Any], group: tuple[bytes, bool]) -> Iterator[Pack]:
        """Put a member in its group's open pack, and give the packs it closed; one of several requests is alone."""
        if member.portions is not None and (member.portions.later is not None or member.portions.items):
            yield Pack(rest=rest, members=(member,))
            return
        pack = self._open.get(group)
        if pack is not None and not pack.has_room(member, self._packing.max_records, self._head_room.tokens):
            yield self._open.pop(group).close()
            pack = None
        if pack is None:
            pack = self._open[group] = _OpenPack(rest)
        pack.add(member)
        if len(self._open) > OPEN_PACKS:
            yield self._open.pop(next(iter(self._open))).close()

    def _measured_by(self, model: str) -> tuple[CountTokens, int]:
        """Give what counts a model's tokens, and how many one input may have."""
        if self._measure is None or self._measure[0] != model:
            limit = self._long_inputs.limit(model, self._packing.max_value_tokens)
            try:
                self._measure = (model, self._long_inputs.counter(model), limit)
            except ConfigurationError as error:  # of this record's own model: the others may have one that is known
                raise RecordError("unknown_vocabulary", str(error), param="model") from None
        return self._measure[1:]

    def _first_portion(self, member: Member, chunks: Iterator[Chunk], digest: str, paid: Paid | None) -> Member:
        """Give a record's part of its first request, or of the first after those that earlier tries have paid."""
        portions = Portions(
            later=chunks, digest=digest, is_averaged=self._long_inputs.is_averaged, names_input=member.is_list
        )
        if paid:
            spans = tuple(chunk.span for chunk in islice(chunks, len(paid.items)) if chunk.span)
            portions = replace(portions, spans=spans, items=paid.items, usage=paid.usage, cost=paid.cost, is_kept=True)
        is_list = member.is_list or self._long_inputs.gives_list
        return next_portion(replace(member, is_list=is_list), portions, self._packing, self._head_room.tokens)

    def _close_for(self, original: Original) -> Iterator[Pack]:
        """Give the open packs when many duplicates wait for them."""
        self._duplicates += original.end is None
        if self._duplicates >= MOST_DUPLICATES:
            self._duplicates = 0
            yield from self.close()


class _OpenPack:
    def __init__(self, rest: dict[str, Any]) -> None:
        self._rest = rest
        self._members: list[Member] = []
        self._values = 0
        self._tokens = 0

    def has_room(self, member: Member, max_values: int, max_tokens: int) -> bool:
        return self._values + len(member.values) <= max_values and self._tokens + member.tokens <= max_tokens

    def add(self, member: Member) -> None:
        self._members.append(member)
        self._values += len(member.values)
        self._tokens += member.tokens

    def close(self) -> Pack:
        return Pack(rest=self._rest, members=tuple(self._members))


def own_values(value: Any, packing: Packing) -> Sequence[Any]:
    """Tell which values one record brings: a list itself, and of one text or one list of tokens just this one.

    Raises RecordError for what the API refuses for certain, so that it does not spoil a whole pack.
    """
    is_list = isinstance(value, (list, tuple)) and not (value and all(_is_token(item) for item in value))
    values: Sequence[Any] = value if is_list else (value,)
    name = packing.request_field
    if not values:
        raise RecordError("empty_input", f"{name} is an empty list", param=name)
    if len(values) > packing.max_records:
        raise RecordError(
            "too_many_inputs", f"{name} has {len(values)} values, at most {packing.max_records}", param=name
        )
    for item in values:
        if not _is_input(item):
            raise RecordError("invalid_input", f"{name} must be valid text or a list of tokens", param=name)
        if not item:
            raise RecordError("empty_input", f"{name} is empty", param=name)
    if len(values) > 1 and len({isinstance(item, str) for item in values}) > 1:
        raise RecordError("invalid_input", f"{name} mixes texts and lists of tokens", param=name)
    return values


def halves(pack: Pack) -> tuple[Pack, Pack]:
    """Cut a pack in two, to find the member that the API refuses."""
    middle = len(pack.members) // 2
    return (
        Pack(rest=pack.rest, members=pack.members[:middle]),
        Pack(rest=pack.rest, members=pack.members[middle:]),
    )


def halved_values(pack: Pack) -> Pack | None:
    """Give the first half of a lone record's values, with the others to follow; None when it has only one."""
    (member,) = pack.members
    middle = len(member.values) // 2
    if not middle:
        return None
    known = member.portions or Portions(digest=digest_of_input(pack.rest, member.values))
    before = len(known.spans) - len(member.values)
    spans = known.spans[before:] or [None] * len(member.values)
    tokens = [span.tokens if span else -(-member.tokens // len(member.values)) for span in spans]
    chunks = [Chunk(*given) for given in zip(member.values, tokens, spans, strict=True)]
    portions = replace(
        known,
        spans=known.spans[: before + middle] if known.spans else (),
        later=chain(chunks[middle:], known.later or ()),
    )
    first = replace(member, values=member.values[:middle], tokens=sum(tokens[:middle]), portions=portions)
    return Pack(rest=pack.rest, members=(first,))


def next_portion(member: Member, portions: Portions, packing: Packing, max_tokens: int) -> Member:
    """Give a record's part of the next request: as many of the chunks that are left as go in one."""
    later = portions.later or iter(())
    helping, later_still = take(later, max_values=packing.max_records, max_tokens=max_tokens)
    return replace(
        member,
        values=tuple([chunk.value for chunk in helping.chunks]),
        tokens=helping.tokens,
        portions=replace(portions, spans=portions.spans + helping.spans, later=later_still),
    )


def packed_body(pack: Pack, packing: Packing) -> dict[str, Any]:
    """Give the body of the request: the shared fields and one list of all values."""
    values = [value for member in pack.members for value in member.values]
    if isinstance(values[0], (array, list, tuple)):
        values = [list(value) for value in values]
    return {**pack.rest, packing.request_field: values}


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _TOKEN_BOUND


def _is_input(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() or not _SURROGATE.search(value)
    return isinstance(value, (list, tuple)) and all(_is_token(item) for item in value)
