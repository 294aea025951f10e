"""OpenAIManualRequestOperator: any operation of the API, written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from airflow_provider_openai_dest.connection.base_url import DEFAULT_BASE_URL
from airflow_provider_openai_dest.endpoints.catalogue import find_operation
from airflow_provider_openai_dest.endpoints.template import Content, EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.operators.arguments import check_words, is_final, refuse_double_braces, refuse_fixed
from airflow_provider_openai_dest.operators.send_records import OpenAISendRecordsOperator
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.body_fault import Validate
from airflow_provider_openai_dest.rendering.request_headers import RequestHeaders
from airflow_provider_openai_dest.rendering.target import Target

if TYPE_CHECKING:
    from airflow_provider_openai_dest.connection.settings import ConnectionSettings
    from airflow_provider_openai_dest.rendering.request_form import RequestForm

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_WITHOUT_BODY = ("DELETE", "GET", "HEAD")


class OpenAIManualRequestOperator(OpenAISendRecordsOperator):
    """Send a request of your own for every record, or once, to any operation of the API.

    The default body is the whole record. JSON answers are kept, files and the pictures of an answer are written under
    the results. All parameters of OpenAISendRecordsOperator apply.

    :param url: path below the connection's base URL, such as ``/responses`` or ``/files?limit=10``, or a complete URL
        inside the connection's origin. ``{message.field}`` in it is percent-encoded.
    :param method: ``GET``, ``POST``, ``PUT``, ``PATCH``, ``DELETE`` or ``HEAD``.
    :param query: parameters of the URL, such as ``{"after": "{message.id}"}``: texts, numbers, lists (``name[]``) and
        objects (``name[field]``), percent-encoded.
    :param content_format: form of the body: ``json``, ``multipart``, ``form``, ``text`` or ``none``; default ``json``
        where the method has a body. With ``none`` the body's fields become the query.
    :param headers: further headers of each request; ``{message.field}`` may stand in their values.
    :param file_fields: fields of a multipart body that name files, which must be below ``files_root``.
    :param validate: ``strict``, ``warn`` or ``off``, where the URL is an operation whose bodies are known; a request by
        hand may be meant as it is, so the default sends it.
    """

    template_fields: Sequence[str] = (*OpenAISendRecordsOperator.template_fields, "url", "query", "headers")

    def __init__(
        self,
        *,
        url: str,
        method: str = "POST",
        query: Mapping[str, Any] | None = None,
        content_format: Content | None = None,
        headers: Mapping[str, str] | None = None,
        file_fields: Sequence[str] = (),
        validate: Validate = "warn",
        **kwargs: Any,
    ) -> None:
        refuse_fixed(type(self), kwargs, "endpoint")
        check_words({"method": (method.upper(), METHODS), "content_format": (content_format, get_args(Content))})
        self.url = url
        self.method = method.upper()
        self.content_format = content_format or ("none" if self.method in _WITHOUT_BODY else "json")
        self.query = dict(query or {})
        self.headers = dict(headers or {})
        self.file_fields = tuple(file_fields)
        super().__init__(endpoint=self.endpoint_template(), validate=validate, **kwargs)

    def endpoint_template(self) -> EndpointTemplate:
        """Make the template of this request, with what is known of the answers of an operation that has a name."""
        known = find_operation(self.method, str(self.url))
        return EndpointTemplate(
            name=f"{self.method} {self.url}",
            path=str(self.url),
            method=self.method,
            content=self.content_format,
            file_fields=self.file_fields,
            answer="any",
            answer_files=known.answer_files if known else None,
            images_field=known.images_field if known else None,
            failed_when=known.failed_when if known else {},
            error_is_data=known is not None and known.error_is_data,
        )

    def template_parts(self) -> list[Any]:
        """Give what shapes the requests, the headers as well."""
        parts = [*super().template_parts(), self.headers, self.content_format]
        return [*parts, self.query] if self.query else parts

    def body_template(self) -> BodyTemplate:
        """Read the template of the body, which is a text itself with ``content_format="text"``."""
        if self.content_format != "text":
            return super().body_template()
        if self.fields:
            raise ConfigurationError('fields= can\'t be set on a text: leave them out with content_format="text"')
        return BodyTemplate(self._body_or_default(), missing=self.missing, is_text=True)

    def query_template(self) -> BodyTemplate | None:
        """Read the template of the query; None where there is none."""
        return BodyTemplate(self.query, missing=self.missing, name="query") if self.query else None

    def request_form(self, settings: ConnectionSettings) -> RequestForm:
        """Make the fixed parts, with the headers; raises ConfigurationError for one that can't be sent."""
        from airflow_provider_openai_dest.operators.inputs import file_references
        from airflow_provider_openai_dest.rendering.request_form import RequestForm

        return RequestForm(
            self.spoken_endpoint(settings),
            base_url=settings.base_url,
            headers=self.headers,
            query=self.query_template(),
            files=file_references(self.files_root, self.storage_conn_id),
            check=self.body_check(settings),
        )

    def argument_checks(self) -> Iterable[Callable[[], object]]:
        """Give what looks at the arguments, those of the request as well."""
        yield from super().argument_checks()
        yield partial(refuse_double_braces, self.query, "query")
        yield partial(refuse_double_braces, self.headers, "headers")
        if is_final(self.url):
            yield partial(_check_url, self.url)
        if is_final(self.query):
            yield self.query_template
        if is_final(self.headers):
            yield partial(RequestHeaders, self.headers)


def _check_url(url: str) -> None:
    """Raise ConfigurationError for a URL that no connection can reach; the origin is known when the task runs."""
    origin = "/".join(url.split("/")[:3]) if "://" in url else DEFAULT_BASE_URL
    try:
        Target(origin, url)
    except ValueError as fault:
        raise ConfigurationError(f"the URL {fault}") from None
