"""SandboxState: everything that one sandbox remembers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from airflow_provider_openai_dest.sandbox.batch_store import BatchStore
from airflow_provider_openai_dest.sandbox.counters import Counters
from airflow_provider_openai_dest.sandbox.fault_plan import FaultPlan
from airflow_provider_openai_dest.sandbox.file_store import FileStore
from airflow_provider_openai_dest.sandbox.inbox import Inbox
from airflow_provider_openai_dest.sandbox.issued_tokens import IssuedTokens
from airflow_provider_openai_dest.sandbox.rate_limit import RateLimit
from airflow_provider_openai_dest.sandbox.settings import SandboxSettings
from airflow_provider_openai_dest.sandbox.upload_store import UploadStore


class SandboxState:
    """What one sandbox remembers; only its event loop touches it.

    :param clock: gives monotonic seconds, for what is limited and what expires.
    """

    def __init__(self, settings: SandboxSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self.clock = clock
        self.files = FileStore(settings.max_file_bytes, settings.processing_reads)
        self.uploads = UploadStore(settings.max_file_bytes)
        self.batches = BatchStore()
        self.responses: dict[str, dict[str, Any]] = {}
        self.counters = Counters()
        self.inbox = Inbox(settings.webhook_secret)
        self.faults = FaultPlan(settings.faults, settings.seed)
        self.issued = IssuedTokens(settings.token_lifetime, settings.token_requests, settings.tokens_taken)
        self.limit = self._full_limit()

    def forget(self) -> None:
        """Clear counters, buckets and the inbox; files, uploads, batches, responses and fault rules stay."""
        self.counters.forget()
        self.inbox.forget()
        self.limit = self._full_limit()

    def timestamp(self) -> int:
        """Give the time as the API tells it, in Unix seconds."""
        return int(time.time())

    def _full_limit(self) -> RateLimit:
        return RateLimit(
            requests_per_minute=self.settings.requests_per_minute,
            tokens_per_minute=self.settings.tokens_per_minute,
            burst_seconds=self.settings.burst_seconds,
        )
