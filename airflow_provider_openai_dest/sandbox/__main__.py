"""Start the sandbox: ``python -m airflow_provider_openai_dest.sandbox``."""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence

from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.sandbox.faults import MODES
from airflow_provider_openai_dest.sandbox.inbox import DEMO_WEBHOOK_SECRET
from airflow_provider_openai_dest.sandbox.server import running_sandbox


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the only line on standard output tells the base URL."""
    options = _read(arguments)
    # Blocked before the server's thread starts, so that none of the threads is interrupted and sigwait gets them all.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        with running_sandbox(
            latency=options.latency,
            requests_per_minute=options.requests_per_minute,
            tokens_per_minute=options.tokens_per_minute,
            burst_seconds=options.burst_seconds,
            faults=options.fault,
            seed=options.seed,
            api_key=options.api_key,
            needs_key=not options.no_key,
            key_header=options.key_header.lower(),
            base64=not options.no_base64,
            subject=options.subject,
            token_lifetime=options.token_lifetime,
            webhook_secret=options.webhook_secret or None,
            processing_reads=options.processing_reads,
            batch_reads=options.batch_reads,
            port=options.port,
        ) as sandbox:
            print(f"OpenAI sandbox at {sandbox.base_url}", flush=True)
            signal.sigwait(STOPS)
    except (ConfigurationError, OSError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2
    return 0


STOPS = (signal.SIGTERM, signal.SIGINT)


def _read(arguments: Sequence[str] | None) -> Namespace:
    faults = "\n".join(f"  {name:17} {mode.summary}" for name, mode in MODES.items())
    parser = ArgumentParser(
        prog="python -m airflow_provider_openai_dest.sandbox",
        description="A local server that speaks the OpenAI API. It listens on 127.0.0.1 only.",
        formatter_class=RawDescriptionHelpFormatter,
        epilog=f"faults (path=, match=, after=, times=, rate= say when):\n{faults}",
    )
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds that a piece of work takes (0.05)")
    parser.add_argument("--requests-per-minute", type=int, metavar="N", help="no limit by default")
    parser.add_argument("--tokens-per-minute", type=int, metavar="N", help="no limit by default")
    parser.add_argument("--burst-seconds", type=float, default=1.0, help="seconds of a limit that may come at once (1)")
    parser.add_argument("--fault", action="append", default=[], metavar="RULE", help="such as status=503,rate=0.1")
    parser.add_argument("--seed", type=int, default=0, help="seed of the faults' chance (0)")
    parser.add_argument("--api-key", help="the only key that is taken; any by default")
    parser.add_argument("--no-key", action="store_true", help="take requests without a key, as a local server does")
    parser.add_argument("--key-header", default="authorization", help="header of the key, such as api-key of Azure")
    parser.add_argument("--no-base64", action="store_true", help="refuse base64 embeddings, as some servers do")
    parser.add_argument("--subject", help="take only tokens that /oauth/token gives, for this subject token")
    parser.add_argument("--token-lifetime", type=float, default=3600, metavar="S", help="of these tokens (3600)")
    parser.add_argument("--webhook-secret", default=DEMO_WEBHOOK_SECRET, help="'' takes unsigned webhooks in as well")
    reads = "reads of a new file until it is processed (0)"
    parser.add_argument("--processing-reads", type=int, default=0, metavar="N", help=reads)
    parser.add_argument("--batch-reads", type=int, default=0, metavar="N", help="reads of a batch until it is done (0)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
