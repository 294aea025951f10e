"""The connection form of Airflow 3.1, drawn from the provider's metadata."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_openai_dest.provider_info import get_provider_info


def ui_field_behaviour(conn_type: str) -> dict[str, Any]:
    """Give hidden fields, labels and placeholders, and in the extra's placeholder the names of the other fields."""
    connection_types: Any = get_provider_info()["connection-types"]
    for declared in connection_types:
        if declared["connection-type"] == conn_type:
            behaviour = declared["ui-field-behaviour"]
            extra = json.dumps(dict.fromkeys(declared["conn-fields"]), indent=2)
            return {
                "hidden_fields": behaviour["hidden-fields"],
                "relabeling": behaviour["relabeling"],
                "placeholders": {**behaviour["placeholders"], "extra": extra},
            }
    raise LookupError(conn_type)
