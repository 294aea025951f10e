"""OpenAIEmbeddingOperator: a vector for every record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Literal, get_args

from airflow_provider_openai_dest.operators.arguments import check_numbers, check_words, refuse, refuse_fixed
from airflow_provider_openai_dest.operators.send_records import OpenAISendRecordsOperator
from airflow_provider_openai_dest.rendering.long_inputs import (
    MAX_INPUT_TOKENS,
    MOST_CHUNK_TOKENS,
    LongInput,
    LongInputs,
)

Vectors = Literal["base64", "numbers"]


class OpenAIEmbeddingOperator(OpenAISendRecordsOperator):
    """Embed every record: up to 2,048 inputs and 300,000 tokens go in one request.

    Vectors are kept as base64 of little-endian float32; ``decode_embedding`` gives the numbers. All parameters of
    OpenAISendRecordsOperator apply.

    :param model: such as ``text-embedding-3-small``.
    :param input: what is embedded, such as ``{message.title}: {message.text}``; a text, a list of texts, or tokens.
    :param dimensions: length of the vectors; ``text-embedding-3`` models only. A vector of another length is refused.
    :param user: identifier of the end user, passed on to OpenAI.
    :param long_input: what becomes of an input above 8,192 tokens: ``reject`` the record, ``truncate`` the input, or
        ``chunk`` it. The last two need the extra ``tokens``, and the vocabulary of the model.
    :param chunk_tokens: with ``chunk``, tokens of a chunk at most: every input longer than this is cut; default 8192.
    :param chunk_overlap: with ``chunk``, tokens that a chunk has in common with the one before it.
    :param chunk_average: with ``chunk``, give one vector for each input: the average of those of its chunks by
        their tokens, of length 1.
    :param encoding_name: tiktoken's name of the vocabulary, such as ``cl100k_base``, for a model that it does not know,
        such as an Azure deployment.
    :param vectors: how vectors stand in results of JSON Lines: ``base64``, or ``numbers``, for which the results are
        written once more when nothing is pending.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        input: Any = None,  # noqa: A002 - spelled as OpenAI spells it
        dimensions: int | None = None,
        user: str | None = None,
        long_input: LongInput = "reject",
        chunk_tokens: int | None = None,
        chunk_overlap: int = 0,
        chunk_average: bool = False,
        encoding_name: str | None = None,
        vectors: Vectors = "base64",
        **kwargs: Any,
    ) -> None:
        refuse_fixed(type(self), kwargs, "endpoint", "fields")
        self.long_input = long_input
        self.chunk_tokens = chunk_tokens
        self.chunk_overlap = chunk_overlap
        self.chunk_average = chunk_average
        self.encoding_name = encoding_name
        self.vectors = vectors
        fields = {"model": model, "input": input, "dimensions": dimensions, "user": user}
        super().__init__(endpoint="create_embedding", fields=fields, **kwargs)

    def long_inputs(self) -> LongInputs:
        """Give what becomes of inputs that are too long.

        Raises ConfigurationError when the tokens of the one model can't be told.
        """
        inputs = LongInputs(
            rule=self.long_input,
            chunk_tokens=self.chunk_tokens or MAX_INPUT_TOKENS,
            chunk_overlap=self.chunk_overlap,
            is_averaged=self.chunk_average,
            encoding_name=self.encoding_name,
        )
        if model := self.one_model():
            inputs.counter(model)
        return inputs

    def template_parts(self) -> list[Any]:
        """Give what shapes requests and answers; what leaves inputs as they are changes neither."""
        cutting = [self.long_input, self.chunk_tokens, self.chunk_overlap, self.chunk_average, self.encoding_name]
        return super().template_parts() + ([] if self.long_input == "reject" else [cutting])

    def has_plain_vectors(self) -> bool:
        """Tell whether files of JSON Lines show the numbers of a vector."""
        return self.vectors == "numbers"

    def argument_checks(self) -> Iterable[Callable[[], object]]:
        """Give what looks at the arguments, those of cutting as well."""
        yield from super().argument_checks()
        words = {"long_input": (self.long_input, get_args(LongInput)), "vectors": (self.vectors, get_args(Vectors))}
        yield partial(check_words, words)
        bounds = {
            "chunk_tokens": (self.chunk_tokens, 1, MOST_CHUNK_TOKENS),
            "chunk_overlap": (self.chunk_overlap, 0, None),
        }
        yield partial(check_numbers, bounds)
        yield self._check_cutting

    def _check_cutting(self) -> None:
        refuse(*self._faults_of_cutting())

    def _faults_of_cutting(self) -> Iterator[str]:
        given = {
            "chunk_tokens": self.chunk_tokens is not None,
            "chunk_overlap": self.chunk_overlap != 0,
            "chunk_average": self.chunk_average,
        }
        if self.long_input != "chunk":
            yield from (f'{name}= needs long_input="chunk"' for name, is_given in given.items() if is_given)
            return
        size = self.chunk_tokens or MAX_INPUT_TOKENS
        if type(size) is int and type(self.chunk_overlap) is int and self.chunk_overlap >= size:
            yield f"chunk_overlap={self.chunk_overlap} must be less than the {size} tokens of a chunk"
