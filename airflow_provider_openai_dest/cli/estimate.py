"""``estimate``: what sending a file would cost; nothing is sent."""

from __future__ import annotations

from argparse import Namespace

from airflow_provider_openai_dest.cli.ending import DONE
from airflow_provider_openai_dest.cli.inputs import Inputs, print_json
from airflow_provider_openai_dest.estimate import estimate
from airflow_provider_openai_dest.prices import price_list


def tell_estimate(options: Namespace) -> int:
    """Print the estimate as JSON."""
    inputs = Inputs(options)
    prices = price_list(inputs.settings.base_url)
    print_json(estimate(inputs.endpoint, inputs.renderer, inputs.source, prices).as_dict())
    return DONE
