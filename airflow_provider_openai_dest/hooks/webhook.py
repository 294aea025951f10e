"""OpenAIDestWebhookHook: where answers are forwarded to, as an Airflow connection."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.sdk import BaseHook

from airflow_provider_openai_dest.connection.redaction import redact
from airflow_provider_openai_dest.connection.webhook_address import checked_address
from airflow_provider_openai_dest.connection.webhook_settings import WebhookSettings, read_webhook_settings
from airflow_provider_openai_dest.hooks.connection_fields import fields_of, mask, named_faults
from airflow_provider_openai_dest.hooks.ui_fields import ui_field_behaviour


class OpenAIDestWebhookHook(BaseHook):
    """Give the settings of a webhook: its URL, its signing secrets and the private networks it may reach.

    Nothing is read before it is asked for.

    :param conn_id: the Airflow connection.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "openai_dest_webhook_default"
    conn_type = "openai_dest_webhook"
    hook_name = "OpenAI destination webhook"

    def __init__(self, conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id

    @cached_property
    def settings(self) -> WebhookSettings:
        """Read the connection once; raises ``ConfigurationError`` with every fault of it."""
        with named_faults(self.conn_id):
            settings = read_webhook_settings(**fields_of(self.get_connection(self.conn_id)))
        mask(settings.secrets)
        return settings

    def test_connection(self) -> tuple[bool, str]:
        """Check the fields and resolve the receiver's address; sends nothing, since receivers act on what they get."""
        try:
            settings = self.settings
            address = checked_address(settings.url, settings.allowed_networks)
        except Exception as error:  # noqa: BLE001  # Airflow would show any text of it as it is
            known = self.__dict__.get("settings")
            return False, redact(str(error) or type(error).__name__, known.secrets if known else ())
        return True, (
            f"The settings are in order, and {settings.origin} has the address {address}. "
            "Nothing was sent: a receiver acts on what it gets"
        )

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Give the form's labels to Airflow before 3.2; later ones read them in the provider's metadata."""
        return ui_field_behaviour(cls.conn_type)
