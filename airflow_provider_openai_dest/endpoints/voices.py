"""Custom voices and the consents to them: https://platform.openai.com/docs/api-reference/audio."""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_VOICE_CONSENT = EndpointTemplate(
    name="create_voice_consent",
    path="/audio/voice_consents",
    content="multipart",
    required=("name", "recording", "language"),
    file_fields=("recording",),
)

LIST_VOICE_CONSENTS = EndpointTemplate(
    name="list_voice_consents",
    path="/audio/voice_consents",
    method="GET",
    content="none",
    optional=("after", "limit"),
)

RETRIEVE_VOICE_CONSENT = EndpointTemplate(
    name="retrieve_voice_consent",
    path="/audio/voice_consents/{consent_id}",
    method="GET",
    content="none",
    required=("consent_id",),
)

UPDATE_VOICE_CONSENT = EndpointTemplate(
    name="update_voice_consent",
    path="/audio/voice_consents/{consent_id}",
    required=("consent_id", "name"),
)

DELETE_VOICE_CONSENT = EndpointTemplate(
    name="delete_voice_consent",
    path="/audio/voice_consents/{consent_id}",
    method="DELETE",
    content="none",
    required=("consent_id",),
)

CREATE_VOICE = EndpointTemplate(
    name="create_voice",
    path="/audio/voices",
    content="multipart",
    required=("name", "audio_sample", "consent"),
    file_fields=("audio_sample",),
)

DELETE_VOICE = EndpointTemplate(
    name="delete_voice",
    path="/audio/voices/{voice_id}",
    method="DELETE",
    content="none",
    required=("voice_id",),
)
