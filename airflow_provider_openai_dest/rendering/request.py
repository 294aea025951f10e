"""RenderedRequest: what will go over the wire, for which records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.duplicates import Claim, Key
from airflow_provider_openai_dest.rendering.multipart import MultipartBody
from airflow_provider_openai_dest.rendering.portions import Portions
from airflow_provider_openai_dest.sources.record import Record


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A record's part of a packed request: its values, of which the answer has one item each.

    ``is_list`` tells that the record gave a list of values and gets a list of items back. ``key`` is what equal ones
    are known by, where they share the answer. ``portions`` is set for a record that was cut, or takes several requests.
    """

    record: Record
    values: Sequence[Any]
    tokens: int
    is_list: bool = False
    key: Key = ()
    portions: Portions | None = None


class Pack(msgspec.Struct, frozen=True, kw_only=True):
    """What a packed request is made of, kept so that it can be halved: the members and the rest of the body."""

    rest: dict[str, Any]
    members: tuple[Member, ...]

    @property
    def is_portion(self) -> bool:
        """Whether another request follows for its only record."""
        portions = self.members[0].portions
        return portions is not None and portions.later is not None

    @property
    def is_averaged(self) -> bool:
        """Whether an average is made of what comes for one of its records, which takes time."""
        return any(member.portions is not None and member.portions.is_averaged for member in self.members)


class RenderedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request, ready to be sent any number of times.

    ``model``, ``tokens`` (an estimate) and ``images`` are what the rate limit reserves; ``output_tokens`` is
    what the body lets the answer have at most, None where it does not say. ``pack`` is set when several
    records share it. ``claim`` is set where records that come later share the answer. ``values`` counts the inputs of a
    pack. ``following`` is set when its record needs another request, and makes it of the items that came so far, of
    what they used and of what that cost. It may write to a storage, so it is called in a thread.
    """

    records: tuple[Record, ...]
    method: str
    url: str
    content: bytes | MultipartBody | None = None
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    model: str = ""
    tokens: int = 0
    images: int = 0
    output_tokens: int | None = None
    pack: Pack | None = None
    claim: Claim | None = None
    values: int = 0
    following: Following | None = None

    @property
    def size(self) -> int:
        """Give how many answers come for it: one for each record, or for each value of a pack."""
        return self.values or len(self.records)

    @property
    def portions(self) -> Portions | None:
        """Give what came before for its first record; None where that takes one request."""
        return self.pack.members[0].portions if self.pack else None


Following = Callable[[Sequence[dict[str, Any]], Mapping[str, Any] | None, float | None], RenderedRequest]


class RefusedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record that does not fit the template: it is rejected and nothing is sent for it."""

    record: Record
    error: RecordError
    claim: Claim | None = None
