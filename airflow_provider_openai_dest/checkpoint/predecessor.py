"""Predecessor: an earlier try that did not end by itself. It may still send; this one waits until it must have stopped.

Airflow takes a task for dead when it has heard nothing of it for minutes, and begins the next try. A worker that was
only cut off goes on all that time, and stops when it sees the mark of the next try. What both send is paid twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.ownership import RENEW_SECONDS, StorageFence
from airflow_provider_openai_dest.sinks.folder import forget_listing

log = logging.getLogger(__name__)

OUTWAIT_SECONDS = RENEW_SECONDS + 0.8
"""When it runs it has seen the mark by then, and has written what was answered: it asks every 1.2 s, and asking an API
and a storage takes its time. The clocks of storages can't be compared, so it is waited once, however old its rows are.
"""


def outwait_predecessor(
    log_of_delivery: DeliveryLog, marks: StorageFence, *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Wait when a try of this delivery has not said that it ended; call it after this try has left its mark.

    What is read of the delivery from then on has all that the predecessor did, but for what was on the wire. One whose
    process ran on this host and is gone is not waited for.
    """
    if not log_of_delivery.claimed().to or marks.earlier_have_ended():
        return
    log.info(
        "An earlier try did not end by itself: this one waits %.1f s, so that one which still runs has stopped",
        OUTWAIT_SECONDS,
    )
    sleep(OUTWAIT_SECONDS)
    forget_listing(log_of_delivery.folder)
