"""What a 200 answer says of its own failure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.answers.failed_answer import failure_of, values_at
from airflow_provider_openai_dest.endpoints.catalogue import ENDPOINTS, find_endpoint
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError

WITHOUT = EndpointTemplate(name="own", path="/own")


def output(*types: str) -> list[dict[str, Any]]:
    """Give the output of a response: reasoning, and a message with contents of these types."""
    contents = [{"type": name, "refusal" if name == "refusal" else "text": f"a {name}"} for name in types]
    return [{"type": "reasoning", "summary": []}, {"type": "message", "content": contents}]


def choice(reason: str = "stop", refusal: str | None = None) -> dict[str, Any]:
    """Give a choice of a chat completion."""
    return {"finish_reason": reason, "message": {"content": "hi", "refusal": refusal}}


# endpoint, answer -> message
FAILED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a response that failed": (
        "create_response",
        {"status": "failed", "error": {"message": "it broke"}},
        "the answer's status is 'failed': it broke",
    ),
    "a response that was cut off": (
        "create_response",
        {
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
            "output": output("output_text"),
        },
        "the answer's status is 'incomplete': max_output_tokens",
    ),
    "a response that was cancelled": (
        "retrieve_response",
        {"status": "cancelled", "error": None},
        "the answer's status is 'cancelled'",
    ),
    "a response with a refusal among its texts": (
        "create_response",
        {"status": "completed", "output": output("output_text", "refusal")},
        "the answer's output[*].content[*].type is 'refusal': a refusal",
    ),
    "a choice that was cut off": (
        "create_chat_completion",
        {"choices": [choice(), choice("length")]},
        "the answer's choices[*].finish_reason is 'length'",
    ),
    "a choice that was filtered": (
        "create_chat_completion",
        {"choices": [choice("content_filter")]},
        "the answer's choices[*].finish_reason is 'content_filter'",
    ),
    "a choice that is a refusal": (
        "create_chat_completion",
        {"choices": [choice(refusal="I won't")]},
        "the answer has a choices[*].message.refusal: I won't",
    ),
    "a text that was filtered": (
        "create_completion",
        {"choices": [{"finish_reason": "content_filter"}]},
        "the answer's choices[*].finish_reason is 'content_filter'",
    ),
    "a question that was refused": (
        "create_decision",
        {"answers": [{"type": "score"}, {"type": "refusal"}]},
        "the answer's answers[*].type is 'refusal'",
    ),
    "a grader that broke": (
        "run_grader",
        {"reward": 0.0, "metadata": {"errors": {"sample_parse_error": False, "other_error": True}}},
        "the answer's metadata.errors[*] is True",
    ),
    "a file that can't be read": (
        "upload_file",
        {"status": "error", "status_details": "line 3 is no JSON"},
        "the answer's status is 'error': line 3 is no JSON",
    ),
    "a file that can't be indexed": (
        "create_vector_store_file",
        {"status": "failed", "last_error": {"code": "unsupported_file", "message": "no text in it"}},
        "the answer's status is 'failed': no text in it",
    ),
    "a batch that was refused at once": (
        "create_batch",
        {"status": "failed", "errors": {"data": [{"message": "the file is empty"}]}},
        "the answer's status is 'failed': the file is empty",
    ),
    "an error that is a text": ("create_image", {"error": "overloaded"}, "the answer holds an error: overloaded"),
}


@pytest.mark.parametrize(("endpoint", "answer", "message"), FAILED.values(), ids=list(FAILED))
def test_an_answer_says_that_it_failed(endpoint: str, answer: dict[str, Any], message: str) -> None:
    """By its endpoint's words for it, with the answer's own reason."""
    error = failure_of(find_endpoint(endpoint), answer)

    assert error is not None
    assert ("failed_answer", message) == (error.code, error.message)


DELIVERED: dict[str, tuple[str, Any]] = {
    "a response": ("create_response", {"status": "completed", "error": None, "output": output("output_text")}),
    "a response in the background": ("create_response", {"status": "queued", "output": []}),
    "a completion": ("create_chat_completion", {"choices": [choice(), choice("tool_calls")]}),
    "a choice that refuses nothing": ("create_chat_completion", {"choices": [choice(refusal="")]}),
    "a completion without choices": ("create_chat_completion", {"choices": []}),
    "choices that are no list": ("create_chat_completion", {"choices": "stop"}),
    "a text that ends at its bound": ("create_completion", {"choices": [{"finish_reason": "length"}]}),
    "a grader's reward": ("run_grader", {"reward": 1.0, "metadata": {"errors": {"other_error": False}}}),
    "a job that failed": ("retrieve_fine_tuning_job", {"status": "failed", "error": {"message": "no such file"}}),
    "a job that has no error yet": ("create_fine_tuning_job", {"status": "queued", "error": {"message": None}}),
    "a batch that failed": ("retrieve_batch", {"status": "failed", "errors": {"data": [{"message": "empty"}]}}),
    "a run that failed": ("retrieve_eval_run", {"status": "failed", "error": {"message": "no such model"}}),
    "a file that failed": ("retrieve_vector_store_file", {"status": "failed", "last_error": {"message": "empty"}}),
    "a response that was to be cancelled": ("cancel_response", {"status": "cancelled", "error": None}),
    "a tool call that failed": ("retrieve_conversation_item", {"type": "mcp_call", "error": "no such tool"}),
    "a list": ("list_files", []),
}


@pytest.mark.parametrize(("endpoint", "answer"), DELIVERED.values(), ids=list(DELIVERED))
def test_an_answer_is_none_that_failed(endpoint: str, answer: Any) -> None:
    """It is whole, or it tells of something that failed, which is what was asked for."""
    assert failure_of(find_endpoint(endpoint), answer) is None


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("a", [{"b": [1, {"c": 2}]}]),
        ("a.b", [[1, {"c": 2}]]),
        ("a.b[1].c", [2]),
        ("a.b[-1].c", [2]),
        ("a.b[*]", [1, {"c": 2}]),
        ("a.b[*].c", [2]),
        ("a[*][0]", [1]),
        ("[*].b[0]", [1]),
        ("a.b[*].c[*]", []),
        ("a.x[*]", []),
        ('["any name"].x[0]', []),
        ("a.b[0][0]", []),
        ('["any name"][*]', ["y"]),
    ],
)
def test_a_path_leads_to_its_values(path: str, values: list[Any]) -> None:
    """``[*]`` is each item of a list and each field of an object, and nothing of what is neither."""
    assert values == list(values_at(path, {"a": {"b": [1, {"c": 2}]}, "any name": {"x": "y"}}))


@pytest.mark.parametrize("path", ["", "a..b", "a.", ".a", "a[", "a[*", "a[*]b", "a b", "a[x]", "a-", "1a"])
def test_a_path_that_can_not_be_read_is_refused(path: str) -> None:
    """When the endpoint is declared, and not when the first answer, which was paid for, is there."""
    with pytest.raises(ConfigurationError, match="failed_when: can't read the path"):
        EndpointTemplate(name="own", path="/own", failed_when={path: ("x",)})


WORDS = [
    *("status", "output", "content", "type", "choices", "message", "refusal", "finish_reason"),
    *("metadata", "errors", "answers", "error", "failed", "incomplete_details", "reason"),
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 1) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


@given(
    endpoint=st.sampled_from([each for each in ENDPOINTS.values() if each.failed_when] + [WITHOUT]), body=json_values
)
def test_no_answer_breaks_it(endpoint: EndpointTemplate, body: Any) -> None:
    """Whatever an answer is made of, it has failed or it has not."""
    failure_of(endpoint, body)


@given(text=st.text(st.sampled_from('ab.[]*"-0 '), max_size=8))
def test_a_path_that_is_taken_can_be_walked(text: str) -> None:
    """What a declaration takes for a path never fails later."""
    try:
        own = EndpointTemplate(name="own", path="/own", failed_when={text: ("*",)})
    except ConfigurationError:
        return
    failure_of(own, {"a": [{"b": 1}], "b": {"a": None}})
