"""Evals: https://platform.openai.com/docs/api-reference/evals.

Read-only since 2026-10-31, off from 2026-11-30 on. A run that failed is told by its ``status`` and ``error`` when it is
retrieved or cancelled; that is no failure of the request.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_EVAL = EndpointTemplate(
    name="create_eval",
    path="/evals",
    required=("data_source_config", "testing_criteria"),
    optional=("name", "metadata"),
)

LIST_EVALS = EndpointTemplate(
    name="list_evals",
    path="/evals",
    method="GET",
    content="none",
    optional=("after", "limit", "order", "order_by"),
)

RETRIEVE_EVAL = EndpointTemplate(
    name="retrieve_eval",
    path="/evals/{eval_id}",
    method="GET",
    content="none",
    required=("eval_id",),
)

UPDATE_EVAL = EndpointTemplate(
    name="update_eval",
    path="/evals/{eval_id}",
    required=("eval_id",),
    optional=("name", "metadata"),
)

DELETE_EVAL = EndpointTemplate(
    name="delete_eval",
    path="/evals/{eval_id}",
    method="DELETE",
    content="none",
    required=("eval_id",),
)

CREATE_EVAL_RUN = EndpointTemplate(
    name="create_eval_run",
    path="/evals/{eval_id}/runs",
    required=("eval_id", "data_source"),
    optional=("name", "metadata"),
)

LIST_EVAL_RUNS = EndpointTemplate(
    name="list_eval_runs",
    path="/evals/{eval_id}/runs",
    method="GET",
    content="none",
    required=("eval_id",),
    optional=("after", "limit", "order", "status"),
)

RETRIEVE_EVAL_RUN = EndpointTemplate(
    name="retrieve_eval_run",
    path="/evals/{eval_id}/runs/{run_id}",
    method="GET",
    content="none",
    required=("eval_id", "run_id"),
    error_is_data=True,
)

DELETE_EVAL_RUN = EndpointTemplate(
    name="delete_eval_run",
    path="/evals/{eval_id}/runs/{run_id}",
    method="DELETE",
    content="none",
    required=("eval_id", "run_id"),
)

CANCEL_EVAL_RUN = EndpointTemplate(
    name="cancel_eval_run",
    path="/evals/{eval_id}/runs/{run_id}/cancel",
    content="none",
    required=("eval_id", "run_id"),
    error_is_data=True,
)

LIST_EVAL_RUN_OUTPUT_ITEMS = EndpointTemplate(
    name="list_eval_run_output_items",
    path="/evals/{eval_id}/runs/{run_id}/output_items",
    method="GET",
    content="none",
    required=("eval_id", "run_id"),
    optional=("after", "limit", "status", "order"),
)

RETRIEVE_EVAL_RUN_OUTPUT_ITEM = EndpointTemplate(
    name="retrieve_eval_run_output_item",
    path="/evals/{eval_id}/runs/{run_id}/output_items/{output_item_id}",
    method="GET",
    content="none",
    required=("eval_id", "run_id", "output_item_id"),
)
