"""``estimate``: what sending a file would cost; nothing is sent."""

from __future__ import annotations

from argparse import Namespace

from airflow_provider_openai_dest.cli.ending import DONE, REJECTED
from airflow_provider_openai_dest.cli.inputs import Inputs, print_json
from airflow_provider_openai_dest.estimate import estimate
from airflow_provider_openai_dest.prices import price_list


def tell_estimate(options: Namespace) -> int:
    """Print the estimate as JSON; nothing that could be sent is a failure."""
    inputs = Inputs(options)
    prices = price_list(inputs.settings.base_url)
    found = estimate(inputs.endpoint, inputs.renderer, inputs.source, prices)
    print_json(found.as_dict())
    return REJECTED if found.rejected and not found.pending else DONE
