"""What Airflow asks of a provider: connection forms, modules and settings, as data. Nothing is imported here.

The UI of Airflow 3.2 and later draws the connection form from ``conn-fields`` and ``ui-field-behaviour`` alone. Every
field is saved, untouched ones as null or with their default, so none has a default here: empty means unset.
"""

from __future__ import annotations

_PACKAGE = "airflow_provider_openai_dest"
_INTEGRATION = "OpenAI destination"

_OPENAI_DEST_FIELDS = {
    "organization": {
        "label": "Organization",
        "description": "Organization id (org-...), when the key belongs to more than one. Empty: the key's own.",
        "schema": {"type": ["string", "null"]},
    },
    "project": {
        "label": "Project",
        "description": "Project id (proj_...). Empty: the key's own.",
        "schema": {"type": ["string", "null"]},
    },
    "rpm": {
        "label": "Requests a minute",
        "description": "Most requests a minute (RPM) of one task. Empty: learnt from the answers.",
        "schema": {"type": ["integer", "null"], "minimum": 1},
    },
    # Not "tokens_per_minute": Airflow shows the value of every extra field with "token" in its name as ***.
    "tpm": {
        "label": "Tokens a minute",
        "description": "Most tokens a minute (TPM) of one task. Empty: learnt from the answers.",
        "schema": {"type": ["integer", "null"], "minimum": 1},
    },
    "ipm": {
        "label": "Images a minute",
        "description": "Most images a minute (IPM) of one task. Empty: learnt from the answers.",
        "schema": {"type": ["integer", "null"], "minimum": 1},
    },
    "rpd": {
        "label": "Requests a day",
        "description": "Most requests a day (RPD) of one task. Empty: learnt from the answers.",
        "schema": {"type": ["integer", "null"], "minimum": 1},
    },
    "concurrency": {
        "label": "Requests at once",
        "description": "Most requests of one task on the wire at once, 1 to 512. Empty: 128, or what the task says.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 512},
    },
    "timeout": {
        "label": "Timeout, seconds",
        "description": "Total time of one request in seconds, beside up to 10 for a new connection. Empty: 600.",
        "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 86400},
    },
    "default_headers": {
        "label": "Headers",
        "description": 'Headers of every request, as a JSON object: {"X-Team": "search"}.',
        "schema": {"type": ["object", "null"]},
    },
    "ca_bundle": {
        "label": "CA bundle",
        "description": "Path of a PEM file or folder on the workers, trusted instead of the public CAs, or empty.",
        "schema": {"type": ["string", "null"]},
    },
    "proxy": {
        "label": "Proxy",
        "description": "Proxy URL, such as http://user:password@proxy.example:3128. Empty: HTTPS_PROXY of the workers.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "allow_http": {
        "label": "Allow plain http",
        "description": "Allow a base URL with http://: the key goes in clear text. Not needed for this machine.",
        "schema": {"type": ["boolean", "null"]},
    },
}

_SERVER_FIELDS = {
    "server": {
        "label": "Server",
        "description": "Who answers: openai, azure (/openai/v1), azure_classic (deployments), litellm, vllm, ollama, "
        "infinity, or other. Empty: openai.",
        "schema": {
            "type": ["string", "null"],
            "enum": ["openai", "azure", "azure_classic", "litellm", "vllm", "ollama", "infinity", "other"],
        },
    },
    "auth": {
        "label": "Authentication",
        "description": "How a request says who sends it. Empty: the password, as the server wants it.",
        "schema": {
            "type": ["string", "null"],
            "enum": [
                *("api_key", "azure_api_key", "azure", "workload_identity", "admin_key", "token_callable", "none"),
            ],
        },
    },
    # Not "auth_header": Airflow shows the value of every extra field with such a name as ***.
    "key_header": {
        "label": "Header of the key",
        "description": "Header that carries the key, such as X-Api-Key of a gateway. Empty: Authorization, or api-key.",
        "schema": {"type": ["string", "null"]},
    },
    "deployment": {
        "label": "Deployment",
        "description": "azure_classic: one deployment for all requests. Empty: the request's model names it.",
        "schema": {"type": ["string", "null"]},
    },
    "api_version": {
        "label": "API version",
        "description": "azure_classic: the api-version of each request, such as 2024-10-21.",
        "schema": {"type": ["string", "null"]},
    },
    "capabilities": {
        "label": "Capabilities",
        "description": 'What this server can do otherwise than its kind, as a JSON object: {"base64": false}.',
        "schema": {"type": ["object", "null"]},
    },
    "auth_callable": {
        "label": "Token function",
        "description": "token_callable: dotted path of a function on the workers that gives a token.",
        "schema": {"type": ["string", "null"]},
    },
    "identity_provider_id": {
        "label": "Identity provider",
        "description": "workload_identity: id of the identity provider at OpenAI.",
        "schema": {"type": ["string", "null"]},
    },
    "workload_account_id": {
        "label": "Workload account",
        "description": "workload_identity: id of the service account at OpenAI that the workload acts as.",
        "schema": {"type": ["string", "null"]},
    },
    "workload_identity_provider": {
        "label": "Workload identity",
        "description": "workload_identity: whose token is exchanged: of kubernetes, azure, gcp, or custom.",
        "schema": {"type": ["string", "null"], "enum": ["kubernetes", "azure", "gcp", "custom"]},
    },
    "subject_file": {
        "label": "Subject file",
        "description": "kubernetes: file of the service account on the workers. Empty: where the cluster puts it.",
        "schema": {"type": ["string", "null"]},
    },
    "subject_callable": {
        "label": "Subject function",
        "description": "custom: dotted path of a function on the workers that gives the machine's own token.",
        "schema": {"type": ["string", "null"]},
    },
    "subject_type": {
        "label": "Subject type",
        "description": "custom: what that is, jwt or id. Empty: jwt.",
        "schema": {"type": ["string", "null"], "enum": ["jwt", "id"]},
    },
    "audience": {
        "label": "Audience",
        "description": "Audience or resource of the machine's own token on Azure and GCP. Empty: the usual one.",
        "schema": {"type": ["string", "null"]},
    },
    "client_id": {
        "label": "Client id",
        "description": "Azure: client id of the managed identity, where the machine has several.",
        "schema": {"type": ["string", "null"]},
    },
    "object_id": {
        "label": "Object id",
        "description": "Azure: object id of the managed identity, where the machine has several.",
        "schema": {"type": ["string", "null"]},
    },
    "msi_res_id": {
        "label": "Resource id",
        "description": "Azure: resource id of the managed identity, where the machine has several.",
        "schema": {"type": ["string", "null"]},
    },
    "refresh_buffer_seconds": {
        "label": "Refresh before, seconds",
        "description": "Seconds before its end that a token is renewed, at most half its life. Empty: 1200.",
        "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 86400},
    },
    "exchange_url": {
        "label": "Exchange URL",
        "description": "workload_identity: where tokens are exchanged. Empty: https://auth.openai.com/oauth/token.",
        "schema": {"type": ["string", "null"]},
    },
}

_WEBHOOK_FIELDS = {
    "headers": {
        "label": "Headers",
        "description": 'Headers of every webhook, as a JSON object: {"Authorization": "Bearer ..."}.',
        "schema": {"type": ["object", "null"]},
    },
    "allowed_private_networks": {
        "label": "Allowed private networks",
        "description": "Networks that are not public and may be called all the same, such as 10.20.0.0/16.",
        "schema": {"type": ["array", "null"], "items": {"type": "string"}},
    },
    "timeout": {
        "label": "Timeout, seconds",
        "description": "Total time of one webhook in seconds. Empty: 20.",
        "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 86400},
    },
    "ca_bundle": {
        "label": "CA bundle",
        "description": "Path of a PEM file or folder on the workers, trusted instead of the public CAs, or empty.",
        "schema": {"type": ["string", "null"]},
    },
}

_CONNECTION_TYPES = [
    {
        "connection-type": "openai_dest",
        "hook-class-name": f"{_PACKAGE}.hooks.openai_dest.OpenAIDestHook",
        "hook-name": "OpenAI destination",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port", "login"],
            "relabeling": {"password": "API key", "host": "Base URL"},
            "placeholders": {"password": "sk-proj-...", "host": "https://api.openai.com/v1 when empty"},
        },
        "conn-fields": {**_OPENAI_DEST_FIELDS, **_SERVER_FIELDS},
    },
    {
        "connection-type": "openai_dest_webhook",
        "hook-class-name": f"{_PACKAGE}.hooks.webhook.OpenAIDestWebhookHook",
        "hook-name": "OpenAI destination webhook",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port", "login"],
            "relabeling": {"password": "Signing secret", "host": "URL"},
            "placeholders": {"password": "whsec_...", "host": "https://hooks.example.com/openai"},
        },
        "conn-fields": _WEBHOOK_FIELDS,
    },
]

_CONFIG = {
    "openai_dest": {
        "description": "What the operators of airflow-provider-openai-dest do when a task does not say.",
        "options": {
            "results_path": {
                "description": "Folder for results when an operator names none: a path or an object storage URI. "
                "Empty: {AIRFLOW_HOME}/openai_dest.",
                "version_added": "0.1.0",
                "type": "string",
                "example": "s3://aws_default@lake/openai",
                "default": "",
            },
            "max_xcom_bytes": {
                "description": "Outcomes go into the XCom up to this size in bytes; above, it names the files.",
                "version_added": "0.1.0",
                "type": "integer",
                "example": None,
                "default": "49152",
            },
            "check_models": {
                "description": "Ask GET /models once a day whether a task's model has ended or soon will: True or "
                "False.",
                "version_added": "0.1.0",
                "type": "boolean",
                "example": None,
                "default": "True",
            },
        },
    }
}


def get_provider_info() -> dict[str, object]:
    """Give Airflow the description of this provider (the ``apache_airflow_provider`` entry point)."""
    return {
        "package-name": "airflow-provider-openai-dest",
        "name": _INTEGRATION,
        "description": "Sends data sets to OpenAI endpoints, keeps every answer and passes the answers on.",
        "versions": ["0.1.0"],
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://platform.openai.com/docs/api-reference",
                "tags": ["ai", "openai", "embeddings", "webhook"],
            }
        ],
        "hooks": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [f"{_PACKAGE}.hooks.{name}" for name in ("openai_dest", "webhook")],
            }
        ],
        "operators": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [
                    f"{_PACKAGE}.operators.{name}"
                    for name in (
                        "send_records",
                        "embedding",
                        "create_image",
                        "upload_file",
                        "manual_request",
                        "webhook",
                    )
                ],
            }
        ],
        "sensors": [{"integration-name": _INTEGRATION, "python-modules": [f"{_PACKAGE}.sensors.file"]}],
        "triggers": [{"integration-name": _INTEGRATION, "python-modules": [f"{_PACKAGE}.triggers.file_processed"]}],
        "connection-types": _CONNECTION_TYPES,
        "config": _CONFIG,
        "cli": [f"{_PACKAGE}.cli.airflow_commands.get_commands"],
    }
