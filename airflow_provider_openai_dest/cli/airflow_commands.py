"""The same commands as ``airflow openai-dest ...`` (Airflow 3.2 and later)."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from airflow_provider_openai_dest.cli.commands import COMMANDS, SUMMARY, run
from airflow_provider_openai_dest.cli.options import OPTIONS, Option

GROUP = "openai-dest"


def get_commands() -> list[Any]:
    """Give Airflow's command line the group; it calls this for every ``airflow`` command, so nothing else is loaded."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    def argument(option: Option) -> Any:
        return Arg(flags=option.flags, help=option.help, **option.more)  # type: ignore[no-untyped-call]

    commands = [
        ActionCommand(
            name=name,
            help=command.help,
            func=_exiting(name),
            args=[argument(OPTIONS[option]) for option in command.options],
        )
        for name, command in COMMANDS.items()
    ]
    return [GroupCommand(name=GROUP, help=SUMMARY, subcommands=commands)]


def _exiting(name: str) -> Callable[[Namespace], None]:
    def command(options: Namespace) -> None:
        sys.exit(run(name, options))

    return command
