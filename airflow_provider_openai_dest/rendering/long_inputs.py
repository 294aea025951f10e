"""Long inputs: texts and token lists above what a model takes are rejected, cut off, or cut into chunks."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Literal

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.portions import Chunk, Span
from airflow_provider_openai_dest.rendering.tokens import (
    LONGEST_COUNTED,
    CountTokens,
    Encoding,
    count_tokens,
    estimate_tokens,
    token_counter,
    vocabulary_of,
)

LongInput = Literal["reject", "truncate", "chunk"]

MAX_INPUT_TOKENS = 8192
"""What all of OpenAI's embedding models take: https://platform.openai.com/docs/api-reference/embeddings/create."""

MOST_CHUNK_TOKENS = 32_768
"""For servers of others. Less than is estimated of any text that is too long to be counted."""

PIECE_CHARACTERS = 20_000
"""A text is encoded in such pieces: encoding takes more than its share of time for a long one, and memory."""

NO_LIMIT = 1 << 62
_CONTINUATION = bytes(range(0x80, 0xC0))


@dataclass(frozen=True, slots=True, kw_only=True)
class LongInputs:
    """What becomes of inputs that are longer than allowed.

    Chunks are sent as tokens, so that what is counted here is what is counted there.

    :param rule: what is done.
    :param chunk_tokens: tokens of a chunk at most; for ``chunk`` every longer input is cut.
    :param chunk_overlap: tokens that a chunk has in common with the one before it.
    :param is_averaged: the vectors of an input's chunks become one.
    :param encoding_name: tiktoken's name of the vocabulary, where the model does not tell it.
    """

    rule: LongInput = "reject"
    chunk_tokens: int = MAX_INPUT_TOKENS
    chunk_overlap: int = 0
    is_averaged: bool = False
    encoding_name: str | None = None

    @property
    def gives_list(self) -> bool:
        """Whether a record with one long input gets a list of vectors."""
        return self.rule == "chunk" and not self.is_averaged

    def counter(self, model: str) -> CountTokens:
        """Give what counts a model's tokens. Raises ConfigurationError when a vocabulary is needed and can't be had."""
        if self.rule == "reject":
            return token_counter(model)
        return partial(count_tokens, vocabulary_of(model, self.encoding_name))

    def limit(self, model: str, known: Mapping[str, int]) -> int:
        """Give the tokens that one input may have.

        :param known: limits by how the model's name begins.
        """
        found = (most for beginning, most in known.items() if model.startswith(beginning))
        most = next(found, MAX_INPUT_TOKENS if self.rule == "truncate" else NO_LIMIT)
        return min(most, self.chunk_tokens) if self.rule == "chunk" else most

    def cut(self, values: Sequence[Any], model: str, count: CountTokens, limit: int) -> Iterator[Chunk] | None:
        """Give the chunks of a record's values, made as they are asked for; None when each of them may go as it is.

        Raises RecordError with the rule ``reject``.
        """
        if all(count(value) <= limit for value in values):
            return None
        if self.rule == "reject":
            _refuse(values, count, limit)
            return None
        encoding = vocabulary_of(model, self.encoding_name)
        overlap = self.chunk_overlap if self.rule == "chunk" else 0
        windows = (
            (place, window)
            for place, value in enumerate(values)
            for window in self._windows(value, encoding, limit, overlap)
        )
        return (
            Chunk(array("I", tokens), len(tokens), Span(place, start, end, len(tokens)))
            for place, (tokens, start, end) in windows
        )

    def _windows(
        self, value: str | Sequence[int], encoding: Encoding, limit: int, overlap: int
    ) -> Iterator[tuple[list[int], int, int]]:
        windows = (
            windows_of_text(value, encoding, limit, overlap)
            if isinstance(value, str)
            else windows_of_tokens(value, limit, overlap)
        )
        return islice(windows, 1) if self.rule == "truncate" else windows


def windows_of_text(text: str, encoding: Encoding, size: int, overlap: int) -> Iterator[tuple[list[int], int, int]]:
    """Give the tokens of a text in windows, each with the place of its first character and of that after its last."""
    held: list[int] = []
    before = 0  # characters that have begun before what is held
    for piece in _pieces(text):
        held += encoding.encode_ordinary(piece)
        while len(held) > size:
            yield held[:size], *_characters(encoding, held[:size], before)
            before += _begun(encoding, held[: size - overlap])
            del held[: size - overlap]
    if held:
        yield held, *_characters(encoding, held, before)


def windows_of_tokens(tokens: Sequence[int], size: int, overlap: int) -> Iterator[tuple[list[int], int, int]]:
    """Give a list of tokens in windows, each with its place."""
    start = 0
    while True:
        end = min(start + size, len(tokens))
        yield list(tokens[start:end]), start, end
        if end == len(tokens):
            return
        start = end - overlap


def _characters(encoding: Encoding, tokens: list[int], before: int) -> tuple[int, int]:
    """Give start and end of the characters that tokens hold; a token may begin within one."""
    is_within = encoding.decode_bytes(tokens[:1])[:1] in _CONTINUATION
    return before - is_within, before + _begun(encoding, tokens)


def _begun(encoding: Encoding, tokens: list[int]) -> int:
    """Count the characters whose first byte is in these tokens."""
    return len(encoding.decode_bytes(tokens).translate(None, _CONTINUATION))


def _pieces(text: str) -> Iterator[str]:
    """Cut a text before a space, where a word and its token begin; a text without one anywhere."""
    start = 0
    while len(text) - start > PIECE_CHARACTERS:
        end = text.rfind(" ", start + PIECE_CHARACTERS // 2, start + PIECE_CHARACTERS)
        end = end if end > 0 else start + PIECE_CHARACTERS
        yield text[start:end]
        start = end
    yield text[start:]


def _refuse(values: Sequence[Any], count: CountTokens, limit: int) -> None:
    """Raise RecordError for a value that is too long for certain: what is only estimated, the API decides."""
    for value in values:
        is_exact = not isinstance(value, str) or (count is not estimate_tokens and len(value) <= LONGEST_COUNTED)
        if is_exact and (tokens := count(value)) > limit:
            raise RecordError(
                "input_too_long",
                f"an input has {tokens} tokens and the model takes {limit}: long_input= can cut it",
            )
