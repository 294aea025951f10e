"""EndpointTemplate: the declaration of one operation of the API. An endpoint is data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from airflow_provider_openai_dest.exceptions import ConfigurationError

Content = Literal["json", "multipart", "form", "text", "none"]
Answer = Literal["json", "file", "any", "ignored"]

_NAME, _BRACKETS = r"[^\W\d]\w*(?:-\w+)*", r'\[(?:\*|-?[0-9]{1,9}|"[^"\\*]+")\]'
_ANSWER_PATH = re.compile(rf"(?:{_NAME}|{_BRACKETS})(?:\.{_NAME}|{_BRACKETS})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """How several records go in one request, and how its answer is handed back to each.

    :param request_field: body field that becomes a list of the records' values.
    :param response_items: answer field with one item a value; each item names its value by ``index``
        (a missing ``index`` means the order of the list).
    :param max_records: values in one request at most.
    :param max_tokens: sum of the estimated tokens in one request at most.
    :param max_value_tokens: tokens of one value at most, by how the model's name begins; others are not looked at.
    """

    request_field: str
    response_items: str
    max_records: int
    max_tokens: int
    max_value_tokens: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFiles:
    """Which part of a JSON answer is a file, decoded and written under the results path.

    :param items: answer field that holds a list of objects.
    :param field: field of each object that holds the bytes as base64; it is replaced by ``path`` and ``bytes``.
    :param folder: folder below the results path.
    """

    items: str
    field: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointTemplate:
    """The declaration of one endpoint; a literal of about 6 to 9 lines. Raises ConfigurationError with all its faults.

    :param name: what ``endpoint=`` takes.
    :param path: path below the base URL; ``{file_id}`` is filled from the body field of that name, which is then
        taken out of the body.
    :param method: HTTP method.
    :param content: form of the request body; ``text`` is plain text; with ``none`` the body's fields become the query.
    :param required: fields that the body must have.
    :param optional: the other fields that the specification names, offered as keywords to Dag authors.
    :param defaults: fields set unless the body has them.
    :param file_fields: fields of a multipart body that hold files. Where all of them are optional, a body without any
        has something else in their place, such as an id, and is sent as JSON.
    :param lines_field: the file field that records may be collected into, as lines of a JSON Lines file.
    :param packing: how several records go in one request; None is one record a request.
    :param answer: ``json``, ``file`` (bytes that are written under the results path), ``ignored``, or ``any``: the
        answer's content type decides.
    :param answer_files: which part of the answer is a file; None when it is all JSON.
    :param vector_field: field of the answer (of a packed item) that holds a base64 float32 vector, checked for length
        and finiteness.
    :param vector_length_field: body field that says how many numbers such a vector has, where it is given.
    :param images_field: body field with the number of images that are asked for, which count against images a minute.
    :param failed_when: paths into an answer, and the values there that make a 200 answer a failure of the record;
        ``[*]`` is any item of a list or field of an object, the value ``"*"`` anything but null or "".
    :param error_is_data: whether ``error`` in a 200 answer is part of what was asked for, such as a job that failed;
        otherwise it makes the answer a failure.
    :param deterministic: whether equal requests have equal answers, so that one of them is enough.
    :param batchable: whether the Batch API takes it.
    :param admin: whether it needs an admin key, which is then the connection's key.
    """

    name: str
    path: str
    method: str = "POST"
    content: Content = "json"
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    file_fields: tuple[str, ...] = ()
    lines_field: str | None = None
    packing: Packing | None = None
    answer: Answer = "json"
    answer_files: AnswerFiles | None = None
    vector_field: str | None = None
    vector_length_field: str | None = None
    images_field: str | None = None
    failed_when: Mapping[str, tuple[str | bool, ...]] = field(default_factory=dict)
    error_is_data: bool = False
    deterministic: bool = False
    batchable: bool = False
    admin: bool = False

    def __post_init__(self) -> None:
        if faults := tuple(self._faults()):
            raise ConfigurationError(*(f"endpoint {self.name!r}: {fault}" for fault in faults))

    @property
    def goes_without_files(self) -> bool:
        """Whether a multipart body may have no file at all, and is sent as JSON then."""
        return bool(self.file_fields) and set(self.file_fields) <= set(self.optional)

    def _faults(self) -> Iterator[str]:
        if self.content not in get_args(Content):
            yield f"content={self.content!r} must be one of {', '.join(get_args(Content))}"
        if self.answer not in get_args(Answer):
            yield f"answer={self.answer!r} must be one of {', '.join(get_args(Answer))}"
        if not (self.method.isascii() and self.method.isalpha() and self.method.isupper()):
            yield f"method={self.method!r} must be in capitals, such as POST"
        if self.file_fields and self.content != "multipart":
            yield "file_fields need content='multipart'"
        if self.lines_field is not None and self.lines_field not in self.file_fields:
            yield f"lines_field={self.lines_field!r} must be one of the file_fields"
        for path in self.failed_when:
            if not _ANSWER_PATH.fullmatch(path):
                yield f"failed_when: can't read the path {path!r}; write it such as 'choices[*].finish_reason'"
        if self.packing and (self.content != "json" or self.packing.request_field not in self.required):
            yield f"packing needs content='json', and {self.packing.request_field!r} among the required fields"
