"""Commands: the table of what the command line can do, for ``python -m`` and for ``airflow openai-dest``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

from airflow_provider_openai_dest.cli.ending import EXIT_CODES, told
from airflow_provider_openai_dest.cli.options import OPTIONS

PROGRAM = "python -m airflow_provider_openai_dest"
SUMMARY = "Send data sets to OpenAI endpoints without a Dag, look before it costs money, and test a connection."

_ACCOUNT = ("conn_id", "base_url")
_REQUESTS = (
    "input",
    "input_format",
    "endpoint",
    "body",
    "model",
    "key",
    "missing",
    "validate",
    "files_root",
    *_ACCOUNT,
)
_LIMITS = ("max_cost", "max_tokens_total", "max_requests", "max_errors", "max_error_rate", "concurrency")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command; ``does`` names the module of this folder and the function in it that takes the options."""

    does: str
    help: str
    options: tuple[str, ...]


COMMANDS: Mapping[str, Command] = {
    "check": Command(
        does="check.check",
        help="test the connection: one free request, which says which field is wrong",
        options=_ACCOUNT,
    ),
    "estimate": Command(
        does="estimate.tell_estimate",
        help="say what sending a file would cost, and what of it would be rejected; nothing is sent",
        options=_REQUESTS,
    ),
    "preview": Command(
        does="send.preview",
        help="send the first records of a file and show what comes back",
        options=("records", *_REQUESTS, "preview_results", *_LIMITS),
    ),
    "send": Command(
        does="send.send",
        help="send a whole file; the same command again sends just what is left",
        options=(*_REQUESTS, "results", "anew", *_LIMITS),
    ),
    "replay": Command(
        does="send.replay",
        help="send the records of a quarantine again; what is delivered is settled where it was rejected",
        options=(*_REQUESTS, "results", *_LIMITS),
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and give the exit code: the answer goes to standard output, the rest to standard error."""
    options = new_parser().parse_args(arguments)
    return run(options.command, options)


def run(name: str, options: Namespace) -> int:
    """Run one command with its options; a failure is told on standard error."""
    module, _, function = COMMANDS[name].does.partition(".")
    return told(getattr(import_module(f"{__package__}.{module}"), function), options, sys.stderr)


def new_parser(program: str = PROGRAM) -> ArgumentParser:
    """Make the parser of the whole command line."""
    parser = ArgumentParser(
        prog=program,
        description=SUMMARY,
        formatter_class=RawDescriptionHelpFormatter,
        epilog="exit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items()),
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        own = commands.add_parser(name, help=command.help, description=f"{command.help[0].upper()}{command.help[1:]}.")
        for option in map(OPTIONS.__getitem__, command.options):
            own.add_argument(*option.flags, help=option.help, **option.more)
    return parser
