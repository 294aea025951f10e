"""Options: what the commands take, as data for argparse and for Airflow's own command line alike."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_PREVIEW = 3
"""Records that a preview sends."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its flags, and the other keywords of ``argparse.ArgumentParser.add_argument``."""

    flags: tuple[str, ...]
    help: str
    more: Mapping[str, Any]


def positive(text: str) -> int:
    """Read a whole number from 1 on."""
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def _option(*flags: str, help: str, **more: Any) -> Option:  # noqa: A002 - argparse's word
    return Option(flags, help, more)


OPTIONS: Mapping[str, Option] = {
    "input": _option(
        "--input",
        required=True,
        metavar="FILES",
        help="path of files with records (JSON, JSON Lines, CSV, TSV, each also gzipped), with globs; or a URI",
    ),
    "input_format": _option(
        "--input-format",
        choices=("csv", "json", "jsonl", "ndjson", "tsv"),
        help="format of the files where their extension does not tell it",
    ),
    "endpoint": _option("--endpoint", required=True, metavar="NAME", help="such as create_embedding"),
    "body": _option(
        "--body",
        metavar="JSON",
        help='body of one request, such as \'{"input": "{message.title}"}\', or @FILE; default: the whole record',
    ),
    "model": _option("--model", help="sets the body's model"),
    "key": _option("--key", metavar="FIELD", help="field that identifies a record; default: its position"),
    "missing": _option(
        "--missing",
        choices=("reject", "null", "omit"),
        default="reject",
        help="what a record without a field of the body gets (reject)",
    ),
    "validate": _option(
        "--validate",
        choices=("strict", "warn", "off"),
        help="what a body gets that the API would refuse (strict; for servers that are not OpenAI's: warn)",
    ),
    "files_root": _option("--files-root", metavar="FOLDER", help="folder that files named by records must be in"),
    "results": _option(
        "--results", required=True, metavar="FOLDER", help="where answers and state are kept: run it again to go on"
    ),
    "preview_results": _option(
        "--results", metavar="FOLDER", help="the rows go to preview/ below it; default: they are not kept"
    ),
    "anew": _option(
        "--anew", action="store_true", help="send everything again, and pay for it, whatever was sent before"
    ),
    "records": _option(
        "--records",
        type=positive,
        default=DEFAULT_PREVIEW,
        metavar="N",
        help=f"how many of the first records are sent ({DEFAULT_PREVIEW})",
    ),
    "max_cost": _option("--max-cost", type=float, metavar="DOLLARS", help="most US dollars, over all runs"),
    "max_tokens_total": _option(
        "--max-tokens-total", type=positive, metavar="N", help="most tokens, sent and received, over all runs"
    ),
    "max_requests": _option("--max-requests", type=positive, metavar="N", help="most requests of this run"),
    "max_errors": _option("--max-errors", type=int, metavar="N", help="records that may be rejected (0)"),
    "max_error_rate": _option(
        "--max-error-rate", type=float, metavar="SHARE", help="share of the records that may be rejected, 0.0 to 1.0"
    ),
    "concurrency": _option(
        "--concurrency", type=positive, metavar="N", help="requests on the wire at once, at most (128)"
    ),
    "conn_id": _option(
        "--conn-id", metavar="ID", help="Airflow connection; default: OPENAI_API_KEY and OPENAI_BASE_URL"
    ),
    "base_url": _option("--base-url", metavar="URL", help="address of the API, in the place of OPENAI_BASE_URL"),
}
