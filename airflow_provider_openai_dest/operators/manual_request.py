"""OpenAIManualRequestOperator: any operation of the API, written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

from airflow_provider_openai_dest.connection.base_url import DEFAULT_BASE_URL
from airflow_provider_openai_dest.endpoints.catalogue import error_is_data, failed_when
from airflow_provider_openai_dest.endpoints.template import Content, EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError, nearest
from airflow_provider_openai_dest.operators.arguments import is_final, refuse_fixed
from airflow_provider_openai_dest.operators.send_records import OpenAISendRecordsOperator
from airflow_provider_openai_dest.rendering.target import Target

if TYPE_CHECKING:
    from airflow_provider_openai_dest.connection.settings import ConnectionSettings
    from airflow_provider_openai_dest.rendering.renderer import RequestForm

METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_WITHOUT_BODY = ("DELETE", "GET")


class OpenAIManualRequestOperator(OpenAISendRecordsOperator):
    """Send a request of your own for every record, or once, to any operation of the API.

    The default body is the whole record. JSON answers are kept, other answers are written as files under the
    results. All parameters of OpenAISendRecordsOperator apply.

    :param url: path below the connection's base URL, such as ``/responses`` or ``/files?limit=10``, or a complete URL
        inside the connection's origin. ``{message.field}`` in it is percent-encoded.
    :param method: ``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
    :param content_format: form of the body: ``json``, ``multipart``, ``form`` or ``none``; default ``json`` where the
        method has a body. With ``none`` the body's fields become the query.
    :param headers: further headers of each request.
    :param file_fields: fields of a multipart body that name files, which must be below ``files_root``.
    """

    template_fields: Sequence[str] = (*OpenAISendRecordsOperator.template_fields, "url", "headers")

    def __init__(
        self,
        *,
        url: str,
        method: str = "POST",
        content_format: Content | None = None,
        headers: Mapping[str, str] | None = None,
        file_fields: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        refuse_fixed(type(self), kwargs, "endpoint")
        if method.upper() not in METHODS:
            raise ConfigurationError(f"unknown method {method!r}: {nearest(method.upper(), METHODS)}")
        if content_format is not None and content_format not in get_args(Content):
            known = get_args(Content)
            raise ConfigurationError(f"unknown content_format {content_format!r}: {nearest(content_format, known)}")
        self.url = url
        self.method = method.upper()
        self.content_format = content_format or ("none" if self.method in _WITHOUT_BODY else "json")
        self.headers = dict(headers or {})
        self.file_fields = tuple(file_fields)
        super().__init__(endpoint=self.endpoint_template(), **kwargs)
        if is_final(url):
            _check_url(url)
        if is_final(self.headers):
            self._check_headers()

    def endpoint_template(self) -> EndpointTemplate:
        """Make the template of this request."""
        return EndpointTemplate(
            name=f"{self.method} {self.url}",
            path=str(self.url),
            method=self.method,
            content=self.content_format,
            file_fields=self.file_fields,
            answer="any",
            failed_when=failed_when(self.method, str(self.url)),
            error_is_data=error_is_data(self.method, str(self.url)),
        )

    def template_parts(self) -> list[Any]:
        """Give what shapes the requests, the headers as well."""
        return [*super().template_parts(), self.headers, self.content_format]

    def request_form(self, settings: ConnectionSettings) -> RequestForm:
        """Make the fixed parts, with the headers; raises ConfigurationError for a header that can't be sent."""
        from airflow_provider_openai_dest.operators.inputs import file_references
        from airflow_provider_openai_dest.rendering.renderer import RequestForm

        self._check_headers()
        return RequestForm(
            self.endpoint_template(),
            base_url=settings.base_url,
            headers=self.headers,
            files=file_references(self.files_root, self.storage_conn_id),
        )

    def _check_headers(self) -> None:
        from airflow_provider_openai_dest.connection.headers import RESERVED_OF_REQUESTS, header_faults

        faults = [
            f"the value of {name!r} must be a text" for name, value in self.headers.items() if type(value) is not str
        ]
        if faults := faults or header_faults(self.headers, RESERVED_OF_REQUESTS):
            raise ConfigurationError(*(f"headers: {fault}" for fault in faults))


def _check_url(url: str) -> None:
    """Raise ConfigurationError for a URL that no connection can reach; the origin is known when the task runs."""
    origin = "/".join(url.split("/")[:3]) if "://" in url else DEFAULT_BASE_URL
    try:
        Target(origin, url)
    except ValueError as fault:
        raise ConfigurationError(f"the URL {fault}") from None
