"""Images: https://platform.openai.com/docs/api-reference/images.

The model has no default: the API's own is retired, and a silent change of model is a change of price.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import AnswerFiles, EndpointTemplate

CREATE_IMAGE = EndpointTemplate(
    name="create_image",
    path="/images/generations",
    required=("model", "prompt"),
    optional=(
        *("n", "size", "quality", "background", "moderation", "output_format", "output_compression"),
        *("complexity", "frame_count", "frame_duration_ms", "svg", "safety_identifier", "user"),
    ),
    answer_files=AnswerFiles(items="data", field="b64_json", folder="images"),
    images_field="n",
    batchable=True,
)

CREATE_IMAGE_EDIT = EndpointTemplate(
    name="create_image_edit",
    path="/images/edits",
    content="multipart",
    required=("model", "prompt", "image"),
    optional=(
        *("mask", "markup", "n", "size", "quality", "background", "output_format", "output_compression"),
        *("input_fidelity", "complexity", "frame_count", "frame_duration_ms", "svg", "safety_identifier", "user"),
    ),
    file_fields=("image", "mask", "markup"),
    answer_files=AnswerFiles(items="data", field="b64_json", folder="images"),
    images_field="n",
)

CREATE_IMAGE_EDIT_JSON = EndpointTemplate(
    name="create_image_edit_json",
    path="/images/edits",
    required=("model", "prompt", "images"),
    optional=(
        *("mask", "n", "size", "quality", "background", "moderation", "output_format", "output_compression"),
        *("input_fidelity", "complexity", "frame_count", "frame_duration_ms", "svg", "safety_identifier", "user"),
    ),
    answer_files=AnswerFiles(items="data", field="b64_json", folder="images"),
    images_field="n",
    batchable=True,
)
