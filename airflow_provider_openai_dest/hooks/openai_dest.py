"""OpenAIDestHook: an Airflow connection, as settings and as HTTP clients."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from airflow_provider_openai_dest.connection.check import check_connection
from airflow_provider_openai_dest.connection.client import new_async_client, new_client
from airflow_provider_openai_dest.connection.redaction import redact
from airflow_provider_openai_dest.connection.settings import ConnectionSettings, read_settings
from airflow_provider_openai_dest.connection.token import TokenSource
from airflow_provider_openai_dest.connection.token_exchange import new_fetch
from airflow_provider_openai_dest.hooks.connection_fields import amask, fields_of, mask, named_faults, named_fetch
from airflow_provider_openai_dest.hooks.ui_fields import ui_field_behaviour

if TYPE_CHECKING:
    import httpx
    from airflow.sdk import Connection


class OpenAIDestHook(BaseHook):
    """Give the settings of a connection to OpenAI, and HTTP clients that send its key to its base URL only.

    It takes connections of the type ``openai_dest``, and those of the official provider (``openai``) as they are.
    Nothing is read before it is asked for.

    :param conn_id: the Airflow connection.
    :param token_callable: gives the token of each request in place of the connection's key: a text, or an object with
        ``token`` and ``expires_on``. It is called when a token is needed, not for each request.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "openai_dest_default"
    conn_type = "openai_dest"
    hook_name = "OpenAI destination"

    def __init__(
        self, conn_id: str = default_conn_name, *, token_callable: Callable[[], Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.token_callable = token_callable

    @cached_property
    def settings(self) -> ConnectionSettings:
        """Read the connection once; raises ``ConfigurationError`` with every fault of it.

        Not on an event loop: there use :meth:`aget_settings` first, which fills this in.
        """
        settings = self._read(self.get_connection(self.conn_id))
        mask(settings.secrets)
        return settings

    @cached_property
    def tokens(self) -> TokenSource | None:
        """Give what holds the token where it expires; None where the key is always the same. Fetches nothing."""
        settings = self.settings
        fetch = new_fetch(settings, self.token_callable)
        if fetch is None:
            return None
        return TokenSource(
            named_fetch(fetch, self.conn_id),
            margin=settings.refresh_buffer_seconds,
            on_token=lambda token: mask((token,)),
        )

    async def aget_settings(self) -> ConnectionSettings:
        """Read the connection on an event loop, such as a trigger's, where :attr:`settings` would block or fail."""
        if "settings" not in self.__dict__:
            settings = self._read(await self.aget_connection(self.conn_id))
            await amask(settings.secrets)
            self.__dict__["settings"] = settings
        return self.settings

    def get_conn(self) -> httpx.Client:
        """Make a client whose paths are below the base URL, as in ``client.get("/models")``; close it after use."""
        return new_client(self.settings, tokens=self.tokens)

    def get_async_conn(self) -> httpx.AsyncClient:
        """Make the asynchronous client; on an event loop, await :meth:`aget_settings` before."""
        return new_async_client(self.settings, tokens=self.tokens)

    def test_connection(self) -> tuple[bool, str]:
        """Ask for the list of models, which costs nothing; says what works, or which field is wrong."""
        sent: list[str] = []
        try:
            if self.tokens is not None:
                self.tokens.tell(sent.append)
            with self.get_conn() as client:
                return check_connection(client, self.settings, tokens=sent)
        except Exception as error:  # noqa: BLE001  # Airflow would show any text of it as it is
            known = self.__dict__.get("settings")
            return False, redact(str(error) or type(error).__name__, (*sent, *(known.secrets if known else ())))

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Give the form's labels to Airflow before 3.2; later ones read them in the provider's metadata."""
        return ui_field_behaviour(cls.conn_type)

    def _read(self, connection: Connection) -> ConnectionSettings:
        with named_faults(self.conn_id):
            auth = "none" if self.token_callable else None
            return read_settings(**fields_of(connection), auth=auth)
