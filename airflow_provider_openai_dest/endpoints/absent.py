"""What is not in the catalogue, and why: operations that OpenAI retired, and those that no record can be sent to."""

from __future__ import annotations

_ASSISTANTS = "the Assistants API ended on 2026-08-26; use create_response"
_THREADS = "the Assistants API ended on 2026-08-26; use create_response with a conversation (create_conversation)"
_MESSAGES = "the Assistants API ended on 2026-08-26; use the items of a conversation (create_conversation_items)"
_VIDEOS = "the videos API ended on 2026-09-24, without a successor"

# What was there and is not any more: https://platform.openai.com/docs/deprecations
RETIRED: dict[str, str] = {
    "create_image_variation": "the API retired image variations; use create_image_edit",
    "create_assistant": _ASSISTANTS,
    "list_assistants": _ASSISTANTS,
    "retrieve_assistant": _ASSISTANTS,
    "update_assistant": _ASSISTANTS,
    "delete_assistant": _ASSISTANTS,
    "create_run": _ASSISTANTS,
    "create_thread_and_run": _ASSISTANTS,
    "list_runs": _ASSISTANTS,
    "retrieve_run": _ASSISTANTS,
    "update_run": _ASSISTANTS,
    "cancel_run": _ASSISTANTS,
    "submit_tool_outputs_to_run": _ASSISTANTS,
    "list_run_steps": _ASSISTANTS,
    "retrieve_run_step": _ASSISTANTS,
    "create_thread": _THREADS,
    "retrieve_thread": _THREADS,
    "update_thread": _THREADS,
    "delete_thread": _THREADS,
    "create_message": _MESSAGES,
    "list_messages": _MESSAGES,
    "retrieve_message": _MESSAGES,
    "update_message": _MESSAGES,
    "delete_message": _MESSAGES,
    "create_video": _VIDEOS,
    "list_videos": _VIDEOS,
    "retrieve_video": _VIDEOS,
    "retrieve_video_content": _VIDEOS,
    "delete_video": _VIDEOS,
    "create_video_edit": _VIDEOS,
    "create_video_extend": _VIDEOS,
    "create_video_remix": _VIDEOS,
    "create_video_character": _VIDEOS,
    "retrieve_video_character": _VIDEOS,
}

_BETA = "the beta form of what is here; OpenAIManualRequestOperator sends it, with ?beta=true and an openai-beta header"
_SESSION_KEY = "replaced by create_realtime_client_secret"
_LASTING_KEY = "the answer is a lasting key, which would stand in the results"

# Operations that OpenAI has and nobody can name here, by OpenAI's own operationId.
NOT_OFFERED: dict[str, str] = {
    "create-realtime-call": "the answer is for a WebRTC peer that waits for it; a record has none",
    "create-realtime-session": _SESSION_KEY,
    "create-realtime-transcription-session": _SESSION_KEY,
    "beta_createResponse": _BETA,
    "beta_getResponse": _BETA,
    "beta_deleteResponse": _BETA,
    "beta_cancelResponse": _BETA,
    "beta_Compactconversation": _BETA,
    "beta_listInputItems": _BETA,
    "beta_Getinputtokencounts": _BETA,
    "cancelEvalRun": "cancel_eval_run calls the newer path for it, as OpenAI's own client does",
    "admin-api-keys-create": _LASTING_KEY,
    "create-project-service-account": _LASTING_KEY,
    "CreateanAPIkeyforaserviceaccount": _LASTING_KEY,
}
