"""Words: what the messages tell a Dag author to do, as whoever runs a command does it."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    "clear the task, or send them again with source=quarantine_of(...)": (
        "run the command again, or send them with `replay --input` and these files"
    ),
    "clear the task to send": "run the command again to send",
    "the next try of this task, or a clear of it, sends": "the same command sends",
    "the next try sends": "the same command sends",
    "(give it as source= to send just these again)": "(`replay --input` sends just these again)",
    'with on_mismatch="restart" (or resume="never", at every try)': "with --anew",
    "name the format (source_format)": "name the format (--input-format)",
    "paste a valid one into the password": "paste a valid one into OPENAI_API_KEY, or the connection's password",
}
"""Airflow's words, the longer ones before what is a part of them, and the command line's."""


def spoken(message: str) -> str:
    """Give a message in the words of the command line."""
    for airflows, own in WORDS.items():
        message = message.replace(airflows, own)
    return message
