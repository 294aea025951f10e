"""OpenAIListSource: a list of the API as a source that is written in a Dag file and read when the task runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_openai_dest.connection.base_url import DEFAULT_BASE_URL
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.rendering.target import Target
from airflow_provider_openai_dest.sources.keys import parse_key

if TYPE_CHECKING:
    from airflow_provider_openai_dest.sources.pages import PagesSource


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIListSource:
    """The items of a list of the API, such as files or batches, each a record; read page by page.

    What fails for a moment is tried again, as records are. The texts may hold Jinja.

    :param path: path below the connection's base URL, such as ``/files``; ``{field}`` in it is taken out of ``query``.
    :param query: parameters of the list, such as ``{"purpose": "batch", "limit": 100}``; ``limit`` is the size of a
        page and not of the list.
    :param key: field that identifies an item, unless the operator has a ``key`` of its own.
    :param items: field of a page that holds the items.
    :param conn_id: Airflow connection; default that of the operator, ``openai_dest_default`` for a webhook's.
    """

    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    key: str = "id"
    items: str = "data"
    conn_id: str | None = None

    def __post_init__(self) -> None:
        parse_key(self.key)
        if not isinstance(self.query, Mapping):
            raise ConfigurationError(f"query={self.query!r} must be an object of parameters")
        if "{{" not in self.path and "{%" not in self.path:
            _check_path(self.path)

    def opened(
        self,
        render: Callable[[Any], Any],
        *,
        conn_id: str,
        key: str | None,
        is_stopped: Callable[[], bool],
        max_wait: float | None = None,
    ) -> PagesSource:
        """Give the source that reads the list.

        :param render: fills in Jinja.
        :param conn_id: the operator's connection, where this has none.
        :param key: the operator's key.
        :param is_stopped: whether somebody has ended the task, which ends a wait.
        :param max_wait: longest wait in seconds that holds the worker.
        """
        import random

        from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
        from airflow_provider_openai_dest.delivery.page_reader import PageReader, sleep_unless
        from airflow_provider_openai_dest.hooks.openai_dest import OpenAIDestHook
        from airflow_provider_openai_dest.sources.pages import PagesSource

        hook = OpenAIDestHook(render(self.conn_id) or conn_id)
        settings = hook.settings
        path, query = render(self.path), render(dict(self.query))
        _check_path(path)
        version = {"api-version": settings.api_version} if settings.kind.has_deployments else {}
        reader = PageReader(
            settings,
            path,
            {**version, **query},
            policy=RetryPolicy(),
            random=random.random,
            tokens=hook.tokens,
            sleep=sleep_unless(is_stopped),
            max_wait=max_wait,
        )
        parameters = ", ".join(f"{name}={value}" for name, value in sorted(query.items()))
        name = f"the list {path}" + (f" with {parameters}" if parameters else "")
        return PagesSource(reader.pages, name, key=key or self.key, items=self.items)


def _check_path(path: str) -> None:
    """Raise ConfigurationError for a path that no connection can reach, or that wants a record."""
    origin = "/".join(path.split("/")[:3]) if "://" in path else DEFAULT_BASE_URL
    try:
        uses_record = Target(origin, path).uses_record
    except ValueError as fault:
        raise ConfigurationError(f"the path {fault}") from None
    if uses_record:
        raise ConfigurationError(f"the path {path!r} has a placeholder, and a list has no record to fill it from")
