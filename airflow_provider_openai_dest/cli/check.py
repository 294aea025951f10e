"""``check``: the test of a connection, as Airflow's Test button makes it."""

from __future__ import annotations

import sys
from argparse import Namespace

from airflow_provider_openai_dest.cli.ending import DONE, WRONG
from airflow_provider_openai_dest.cli.inputs import read_account
from airflow_provider_openai_dest.cli.words import spoken
from airflow_provider_openai_dest.connection.check import check_connection
from airflow_provider_openai_dest.connection.client import new_client


def check(options: Namespace) -> int:
    """Ask for the models, which is free, and print what came of it."""
    settings, tokens = read_account(options)
    sent: list[str] = []
    if tokens is not None:
        tokens.tell(sent.append)
    with new_client(settings, tokens=tokens) as client:
        works, text = check_connection(client, settings, tokens=sent)
    sys.stdout.write(f"{spoken(text)}\n")
    return DONE if works else WRONG
