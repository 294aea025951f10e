"""OpenAIEmbeddingOperator: a vector for every record."""

from __future__ import annotations

from typing import Any

from airflow_provider_openai_dest.operators.arguments import refuse_fixed
from airflow_provider_openai_dest.operators.send_records import OpenAISendRecordsOperator


class OpenAIEmbeddingOperator(OpenAISendRecordsOperator):
    """Embed every record: up to 2,048 inputs and 300,000 tokens go in one request.

    Vectors are kept as base64 of little-endian float32; ``decode_embedding`` gives the numbers. All parameters of
    OpenAISendRecordsOperator apply.

    :param model: such as ``text-embedding-3-small``.
    :param input: what is embedded, such as ``{message.title}: {message.text}``; a text, a list of texts, or tokens.
    :param dimensions: length of the vectors; ``text-embedding-3`` models only.
    :param user: identifier of the end user, passed on to OpenAI.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        input: Any = None,  # noqa: A002 - spelled as OpenAI spells it
        dimensions: int | None = None,
        user: str | None = None,
        **kwargs: Any,
    ) -> None:
        refuse_fixed(type(self), kwargs, "endpoint", "fields")
        fields = {"model": model, "input": input, "dimensions": dimensions, "user": user}
        super().__init__(endpoint="create_embedding", fields=fields, **kwargs)
