"""Field types: the values of a connection's fields, each with its check and the reason it may give."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from airflow_provider_openai_dest.connection.form import read_json_object
from airflow_provider_openai_dest.connection.headers import RESERVED, is_header_name, is_header_value


def _refuse_bool(value: object) -> object:
    """Refuse true and false where a number is wanted; Python takes them for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(f"is {str(value).lower()}; it must be a number")
    return value


def _read_object(value: object) -> object:
    """Take an object, or the JSON text of one."""
    return read_json_object(value) if isinstance(value, str) else value


def _read_path(text: str) -> str:
    """Take the path of a CA file or folder; whether it is there only the machine that connects can say."""
    if re.search(r"[\x00-\x1f]", text):
        raise ValueError("has a control character")
    return text


def _read_key(value: object) -> object:
    """Strip the newline of a paste, and refuse what is no single printable word."""
    key = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(key, str):
        return value
    key = key.strip()
    if not key.strip("*"):
        raise ValueError("is empty or the mask ***; paste the key itself")
    if key.lower().startswith("bearer "):
        raise ValueError("begins with 'Bearer'; paste only what comes after it")
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ValueError("has a blank, a control character or a letter beyond ASCII inside; paste it again")
    return key


def _read_id(text: str) -> str:
    if not is_header_value(text):
        raise ValueError("must be printable ASCII without a line break")
    return text


def _read_header_name(text: str) -> str:
    if not is_header_name(text):
        raise ValueError("is no header name")
    if text.lower() in RESERVED:
        raise ValueError(f"can't be set here, it {RESERVED[text.lower()]}")
    return text


def _read_segment(text: str) -> str:
    """Take what stands in a URL as it is, so nothing in it may need an escape."""
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", text):
        raise ValueError("may have letters, digits, '-', '_' and '.' only")
    return text


def _read_dotted_path(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", text):
        raise ValueError("is no dotted path; write package.module.function")
    return text


Count = Annotated[int, BeforeValidator(_refuse_bool), Field(ge=1)]
Seconds = Annotated[float, BeforeValidator(_refuse_bool), Field(gt=0, le=86_400, allow_inf_nan=False)]
HeaderText = Annotated[str, AfterValidator(_read_id)]
HeaderMap = Annotated[dict[str, str], BeforeValidator(_read_object)]
PathText = Annotated[str, AfterValidator(_read_path)]
Key = Annotated[SecretStr, BeforeValidator(_read_key)]
HeaderName = Annotated[str, AfterValidator(_read_header_name)]
PathSegment = Annotated[str, AfterValidator(_read_segment)]
DottedPath = Annotated[str, AfterValidator(_read_dotted_path)]
CapabilityMap = Annotated[dict[str, bool], BeforeValidator(_read_object)]
