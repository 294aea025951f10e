"""Fine-tuning: https://platform.openai.com/docs/api-reference/fine-tuning.

No new jobs after 2027-01-06. A job that failed is told by its ``status`` and ``error`` when it is retrieved, cancelled,
paused or resumed; that is no failure of the request. Permissions of checkpoints need an admin key.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_FINE_TUNING_CHECKPOINT_PERMISSION = EndpointTemplate(
    name="create_fine_tuning_checkpoint_permission",
    path="/fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions",
    required=("fine_tuned_model_checkpoint", "project_ids"),
    admin=True,
)

LIST_FINE_TUNING_CHECKPOINT_PERMISSIONS = EndpointTemplate(
    name="list_fine_tuning_checkpoint_permissions",
    path="/fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions",
    method="GET",
    content="none",
    required=("fine_tuned_model_checkpoint",),
    optional=("project_id", "after", "limit", "order"),
    admin=True,
)

DELETE_FINE_TUNING_CHECKPOINT_PERMISSION = EndpointTemplate(
    name="delete_fine_tuning_checkpoint_permission",
    path="/fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions/{permission_id}",
    method="DELETE",
    content="none",
    required=("fine_tuned_model_checkpoint", "permission_id"),
    admin=True,
)

CREATE_FINE_TUNING_JOB = EndpointTemplate(
    name="create_fine_tuning_job",
    path="/fine_tuning/jobs",
    required=("model", "training_file"),
    optional=("suffix", "validation_file", "integrations", "seed", "method", "metadata"),
    failed_when={"status": ("failed", "cancelled")},
    error_is_data=True,
)

LIST_FINE_TUNING_JOBS = EndpointTemplate(
    name="list_fine_tuning_jobs",
    path="/fine_tuning/jobs",
    method="GET",
    content="none",
    optional=("after", "limit", "metadata"),
)

RETRIEVE_FINE_TUNING_JOB = EndpointTemplate(
    name="retrieve_fine_tuning_job",
    path="/fine_tuning/jobs/{fine_tuning_job_id}",
    method="GET",
    content="none",
    required=("fine_tuning_job_id",),
    error_is_data=True,
)

CANCEL_FINE_TUNING_JOB = EndpointTemplate(
    name="cancel_fine_tuning_job",
    path="/fine_tuning/jobs/{fine_tuning_job_id}/cancel",
    content="none",
    required=("fine_tuning_job_id",),
    error_is_data=True,
)

LIST_FINE_TUNING_JOB_CHECKPOINTS = EndpointTemplate(
    name="list_fine_tuning_job_checkpoints",
    path="/fine_tuning/jobs/{fine_tuning_job_id}/checkpoints",
    method="GET",
    content="none",
    required=("fine_tuning_job_id",),
    optional=("after", "limit"),
)

LIST_FINE_TUNING_JOB_EVENTS = EndpointTemplate(
    name="list_fine_tuning_job_events",
    path="/fine_tuning/jobs/{fine_tuning_job_id}/events",
    method="GET",
    content="none",
    required=("fine_tuning_job_id",),
    optional=("after", "limit"),
)

PAUSE_FINE_TUNING_JOB = EndpointTemplate(
    name="pause_fine_tuning_job",
    path="/fine_tuning/jobs/{fine_tuning_job_id}/pause",
    content="none",
    required=("fine_tuning_job_id",),
    error_is_data=True,
)

RESUME_FINE_TUNING_JOB = EndpointTemplate(
    name="resume_fine_tuning_job",
    path="/fine_tuning/jobs/{fine_tuning_job_id}/resume",
    content="none",
    required=("fine_tuning_job_id",),
    error_is_data=True,
)
