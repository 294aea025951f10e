"""Auth fields: what a connection says of who speaks and to what kind of server; a part of its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from airflow_provider_openai_dest.connection.field_types import (
    CapabilityMap,
    DottedPath,
    HeaderName,
    HeaderText,
    Key,
    PathSegment,
    PathText,
    Seconds,
)
from airflow_provider_openai_dest.connection.form import FormField
from airflow_provider_openai_dest.connection.origin import is_loopback, split_url
from airflow_provider_openai_dest.connection.servers import CAPABILITIES, SERVERS, Capabilities, Server, ServerName

AuthName = Literal["api_key", "azure_api_key", "azure", "workload_identity", "admin_key", "token_callable", "none"]
SubjectSource = Literal["kubernetes", "azure", "gcp", "custom"]
SubjectType = Literal["jwt", "id"]

EXCHANGE_URL = "https://auth.openai.com/oauth/token"
AZURE_AUDIENCE = "https://cognitiveservices.azure.com/"  # for Azure OpenAI itself, as Azure's SDKs have it
CLUSTER_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthMode:
    """One way to say who sends.

    :param meaning: for the documentation.
    :param needs: settings that must be there.
    :param header: header that carries the key or the token.
    :param has_token: whether it is a token that is fetched, and expires.
    """

    meaning: str
    needs: tuple[str, ...] = ()
    header: str = "Authorization"
    has_token: bool = False


AUTH_MODES: Mapping[str, AuthMode] = {
    "api_key": AuthMode(meaning="the API key of the password, as `Authorization: Bearer`", needs=("api_key",)),
    "azure_api_key": AuthMode(
        meaning="the key of the password, as `api-key`; the default of both Azure servers",
        needs=("api_key",),
        header="api-key",
    ),
    "azure": AuthMode(meaning="an Entra token of the machine's managed identity, from Azure's IMDS", has_token=True),
    "workload_identity": AuthMode(
        meaning="a token of OpenAI's for one of the machine's own (workload identity federation)",
        needs=("identity_provider_id", "workload_account_id", "workload_identity_provider"),
        has_token=True,
    ),
    "admin_key": AuthMode(
        meaning="an admin key in the password, for `/organization` and `/projects` only", needs=("api_key",)
    ),
    "token_callable": AuthMode(
        meaning="what a function of yours returns, asked again before it expires",
        needs=("auth_callable",),
        has_token=True,
    ),
    "none": AuthMode(meaning="no key at all; the default of a local server where the password is empty"),
}

FIELDS = {
    "server": FormField("Server", "extra server", f"one of {', '.join(SERVERS)}"),
    "auth": FormField("Authentication", "extra auth", f"one of {', '.join(AUTH_MODES)}"),
    "key_header": FormField("Header of the key", "extra key_header", "the name of a header such as X-Api-Key"),
    "deployment": FormField("Deployment", "extra deployment", "the name of one deployment of Azure's classic API"),
    "api_version": FormField("API version", "extra api_version", "a version such as 2024-10-21"),
    "capabilities": FormField(
        "Capabilities", "extra capabilities", 'a JSON object of true and false such as {"base64": false}'
    ),
    "auth_callable": FormField("Token function", "extra auth_callable", "a dotted path such as my_package.auth.token"),
    "identity_provider_id": FormField("Identity provider", "extra identity_provider_id", "an id such as idp_..."),
    "workload_account_id": FormField("Workload account", "extra workload_account_id", "the id of a service account"),
    "workload_identity_provider": FormField(
        "Workload identity", "extra workload_identity_provider", "one of kubernetes, azure, gcp, custom"
    ),
    "subject_file": FormField("Subject file", "extra subject_file", f"a path such as {CLUSTER_FILE}"),
    "subject_callable": FormField(
        "Subject function", "extra subject_callable", "a dotted path such as my_package.auth.subject"
    ),
    "subject_type": FormField("Subject type", "extra subject_type", "jwt or id"),
    "audience": FormField("Audience", "extra audience", "a URI such as https://api.openai.com/v1"),
    "client_id": FormField("Client id", "extra client_id", "the client id of a managed identity"),
    "object_id": FormField("Object id", "extra object_id", "the object id of a managed identity"),
    "msi_res_id": FormField("Resource id", "extra msi_res_id", "the Azure resource id of a managed identity"),
    "refresh_buffer_seconds": FormField(
        "Refresh before, seconds", "extra refresh_buffer_seconds", "a number of seconds above 0, at most 86400"
    ),
    "exchange_url": FormField("Exchange URL", "extra exchange_url", f"an address such as {EXCHANGE_URL}"),
}

# Airflow shows the value of a name with "token", "service_account" and some other words in it as ***, so the form has
# names of its own; those of the official provider are read as well.
EXTRAS = {name: name for name in FIELDS} | {
    "token_callable": "auth_callable",
    "service_account_id": "workload_account_id",
    "token_file_path": "subject_file",
    "token_provider": "subject_callable",
    "token_type": "subject_type",
    "resource": "audience",
}


class AuthFields(BaseModel):
    """Which server, which authentication, and what each of them wants to know."""

    server: ServerName = "openai"
    auth: AuthName = "api_key"
    api_key: Annotated[Key | None, Field(validate_default=True)] = None
    key_header: HeaderName | None = None
    deployment: PathSegment | None = None
    api_version: Annotated[PathSegment | None, Field(validate_default=True)] = None
    capabilities: CapabilityMap = Field(default_factory=dict)
    auth_callable: Annotated[DottedPath | None, Field(validate_default=True)] = None
    identity_provider_id: Annotated[HeaderText | None, Field(validate_default=True)] = None
    workload_account_id: Annotated[HeaderText | None, Field(validate_default=True)] = None
    workload_identity_provider: Annotated[SubjectSource | None, Field(validate_default=True)] = None
    subject_file: PathText = CLUSTER_FILE
    subject_callable: Annotated[DottedPath | None, Field(validate_default=True)] = None
    subject_type: SubjectType = "jwt"
    audience: HeaderText | None = None
    client_id: HeaderText | None = None
    object_id: HeaderText | None = None
    msi_res_id: HeaderText | None = None
    refresh_buffer_seconds: Seconds = 1200.0
    exchange_url: str = EXCHANGE_URL

    @model_validator(mode="before")
    @classmethod
    def _default_auth(cls, data: Any) -> Any:
        """Fill ``auth`` by the server, where it is not given."""
        if not isinstance(data, Mapping) or data.get("auth") is not None:
            return data
        server = SERVERS.get(str(data.get("server") or "openai"), SERVERS["openai"])
        is_none = server.is_open and data.get("api_key") is None
        return {**data, "auth": "none" if is_none else server.key_mode}

    @field_validator(
        *("api_key", "auth_callable", "identity_provider_id", "workload_account_id", "workload_identity_provider")
    )
    @classmethod
    def _check_needed(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse that it is missing where the authentication needs it."""
        if value is None and info.field_name in AUTH_MODES[info.data.get("auth", "none")].needs:
            raise PydanticCustomError("missing", "is missing")
        return value

    @field_validator("api_version")
    @classmethod
    def _check_api_version(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and SERVERS[info.data.get("server", "openai")].has_deployments:
            raise PydanticCustomError("missing", "is missing")
        return value

    @field_validator("subject_callable")
    @classmethod
    def _check_subject_callable(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("workload_identity_provider") == "custom":
            raise PydanticCustomError("missing", "is missing")
        return value

    @field_validator("capabilities")
    @classmethod
    def _check_capabilities(cls, value: dict[str, bool]) -> dict[str, bool]:
        if unknown := [name for name in value if name not in CAPABILITIES]:
            raise ValueError(f"has the unknown name {unknown[0]!r}; known are {', '.join(CAPABILITIES)}")
        return value

    @field_validator("exchange_url")
    @classmethod
    def _check_exchange_url(cls, text: str) -> str:
        parts = split_url(text.strip())
        if parts.origin.scheme == "http" and not is_loopback(parts.origin.host):
            raise ValueError("is plain http, which would send the machine's own token in clear text; use https")
        return text.strip()

    @property
    def mode(self) -> AuthMode:
        """Give what is known of the authentication."""
        return AUTH_MODES[self.auth]

    @property
    def kind(self) -> Server:
        """Give what is known of the server."""
        return SERVERS[self.server]

    @property
    def can(self) -> Capabilities:
        """Give what the server can do, by its kind and by what the connection says of it."""
        return self.kind.can.but(self.capabilities)

    @property
    def credential_header(self) -> str:
        """Give the header that carries the key or the token."""
        return self.key_header or self.mode.header

    def credential(self, secret: str) -> dict[str, str]:
        """Give the header that carries this key or token: ``Bearer`` and it in Authorization, it alone elsewhere."""
        name = self.credential_header
        return {name: f"Bearer {secret}" if name.lower() == "authorization" else secret}
