"""Call: one request as an operation sees it, read and checked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from typing import Any

import msgspec
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from airflow_provider_openai_dest.sandbox.answers import ApiError
from airflow_provider_openai_dest.sandbox.validation import Field, Shape, refuse

MULTIPART = "multipart/form-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One file of a multipart body."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_multipart(self) -> bool:
        """Whether the body says that it is a multipart form."""
        return self.headers.get("content-type", "").lower().startswith(MULTIPART)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request whose body was read: ``body`` holds the fields, ``uploads`` a form's files by part name."""

    request: Request
    body: dict[str, Any] = default(default_factory=dict)
    uploads: Mapping[str, Sequence[Upload]] = default(default_factory=dict)


async def read_call(request: Request, json: Shape | None, form: Shape | None) -> Call:
    """Read the body as the operation takes it; refuses with a 400 what can't be read or has the wrong shape."""
    given = {"model": request.parameters["deployment"]} if "deployment" in request.parameters else {}
    if form is not None and (json is None or request.is_multipart):
        fields, uploads = await _read_form(request)
        return Call(request=request, body=form.check(_typed({**fields, **given}, form.fields)), uploads=uploads)
    if json is not None:
        body = _read_json(request.body)
        return Call(request=request, body=json.check({**body, **given} if isinstance(body, dict) else body))
    return Call(request=request)


def read_query(query: Mapping[str, str], shape: Shape) -> dict[str, Any]:
    """Read and check the query of a list operation."""
    return shape.check(_typed(query, shape.fields))


def _read_json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        refuse(
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP "
            "library correctly. The API expects a JSON payload, but what was sent was not valid JSON.)",
            None,
        )


async def _read_form(request: Request) -> tuple[dict[str, Any], dict[str, list[Upload]]]:
    if not request.is_multipart or "boundary=" not in request.headers["content-type"]:
        content_type = request.headers.get("content-type", "none")[:80]
        raise ApiError(400, f"Invalid Content-Type ({content_type}). Expected {MULTIPART} with a boundary.")

    async def stream() -> AsyncGenerator[bytes, None]:
        yield request.body

    try:
        parser = MultiPartParser(Headers(request.headers), stream(), max_part_size=len(request.body) + 1)
        form = await parser.parse()
    except (MultiPartException, ValueError) as error:  # ValueError: the parser's own, which older Starlettes let out
        refuse(f"Could not parse multipart form: {error}", None)
    fields: dict[str, Any] = {}
    uploads: dict[str, list[Upload]] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            upload = Upload(name=value.filename or "", data=await value.read())
            uploads.setdefault(name.removesuffix("[]"), []).append(upload)
        else:
            _put(fields, name, value)
    await form.close()
    return fields, uploads


def _put(fields: dict[str, Any], name: str, value: str) -> None:
    """Put a form field in its place: ``a[b]`` is field ``b`` of the object ``a``, ``a[]`` an item of the list ``a``."""
    outer, bracket, inner = name.removesuffix("]").partition("[")
    if not bracket:
        fields[name] = value
        return
    place = fields.setdefault(outer, {} if inner else [])
    if inner and isinstance(place, dict):
        place[inner] = value
    elif not inner and isinstance(place, list):
        place.append(value)


_READERS: Mapping[str, Callable[[str], Any]] = {
    "integer": int,
    "number": float,
    "boolean": lambda value: {"true": True, "false": False}.get(value, value),
}


def _typed(fields: Mapping[str, Any], declared: Mapping[str, Field]) -> dict[str, Any]:
    """Give the fields with the types that are declared: all that a form or a query has is text."""
    return {name: _typed_value(value, declared.get(name)) for name, value in fields.items()}


def _typed_value(value: Any, field: Field | None) -> Any:
    if isinstance(value, dict):
        return _typed(value, (field.fields if field else None) or {})
    read = _READERS.get(field.kinds[0]) if field else None
    if read is None or not isinstance(value, str):
        return value
    try:
        return read(value)
    except ValueError:
        return value  # the check refuses it with the field's name
