"""Images leave no trace in memory: only their paths go on, and of those only the rows on disk."""

from __future__ import annotations

import gc
import json
import random
import tracemalloc
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_openai_dest.delivery.clock import SystemClock
from airflow_provider_openai_dest.delivery.settlement import QUEUE_BYTES
from airflow_provider_openai_dest.destination import Destination
from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.renderer import SingleRenderer
from airflow_provider_openai_dest.sinks.binary_files import BinaryFiles
from airflow_provider_openai_dest.sinks.folder import RowLog
from airflow_provider_openai_dest.sinks.results import ResultsSink
from airflow_provider_openai_dest.sources.record import Record
from airflow_provider_openai_dest.wire.wire import WireReply, WireRequest
from tests.core.delivery_parts import FakeWire, dispatcher
from tests.core.rendering_parts import form

EARLY, LATE = 2_000, 6_000
IMAGE_BYTES = 10_000
MOST_GROWTH = 2 * QUEUE_BYTES + 1_000_000
"""What may wait for the disk at one moment and not at another; the base64 of the images in between is 53 MB."""


class ImageWire(FakeWire):
    """A wire that answers with an image of its own each time, and looks at the memory on its way."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SystemClock()  # type: ignore[assignment]
        self.answered = 0
        self.traced: dict[int, int] = {}
        self._chance = random.Random(7)  # noqa: S311 - any bytes will do

    async def send(self, request: WireRequest) -> WireReply:
        """Answer at once."""
        self.answered += 1
        if self.answered in (EARLY, LATE):
            gc.collect()
            self.traced[self.answered] = tracemalloc.get_traced_memory()[0]
        image = b"\x89PNG\r\n\x1a\n" + self._chance.randbytes(IMAGE_BYTES)
        answer = {"created": 1, "data": [{"b64_json": b64encode(image).decode()}], "usage": {"total_tokens": 1}}
        return WireReply(200, {"content-type": "application/json"}, json.dumps(answer).encode())


class Names:
    """A source of so many records that holds none."""

    def __iter__(self) -> Iterator[Record]:
        for position in range(LATE + 100):
            yield Record(key=f"sku-{position}", position=position, data={"name": f"thing {position}"})

    def fingerprint(self) -> str:
        """Say nothing."""
        return "names"


def test_images_leave_no_growth_in_memory(tmp_path: Path) -> None:
    """Four thousand images later, memory is what it was, and the manifest is as small."""
    endpoint = find_endpoint("create_image")
    body = {"model": "gpt-image-2", "prompt": "A {message.name}", "n": 1, "size": "64x48"}
    wire = ImageWire()
    destination = Destination(
        endpoint=endpoint,
        renderer=SingleRenderer(form(endpoint), BodyTemplate(body)),
        dispatcher=dispatcher(wire, concurrency=16),
        sinks=[ResultsSink(RowLog(tmp_path, "outcomes"))],
        keep=BinaryFiles(tmp_path, endpoint).keep,
        max_inline_bytes=48 * 1024,
    )
    tracemalloc.start()
    try:
        manifest = destination.run(Names())
    finally:
        tracemalloc.stop()
    growth = wire.traced[LATE] - wire.traced[EARLY]
    assert (LATE + 100, None) == (manifest.delivered, manifest.outcomes)
    assert growth < MOST_GROWTH, f"{growth:,} bytes more after {LATE - EARLY:,} images"
    assert len(json.dumps(manifest.as_dict())) < 2_000
    assert LATE + 100 == sum(1 for _ in (tmp_path / "images").iterdir())
