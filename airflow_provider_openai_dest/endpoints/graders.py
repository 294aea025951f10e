"""Graders: https://platform.openai.com/docs/api-reference/graders.

A reward that comes with an error of the grader is none: the record is rejected, the answer kept.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

RUN_GRADER = EndpointTemplate(
    name="run_grader",
    path="/fine_tuning/alpha/graders/run",
    required=("grader", "model_sample"),
    optional=("item",),
    failed_when={"metadata.errors[*]": (True,)},
)

VALIDATE_GRADER = EndpointTemplate(
    name="validate_grader",
    path="/fine_tuning/alpha/graders/validate",
    required=("grader",),
)
