# ruff: noqa: INP001 - no package: a script's module beside the pages that it reads
"""The code blocks of the pages: found, given the data that they name, and run (by the tests, and for the samples)."""

from __future__ import annotations

import gzip
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_openai_dest.sandbox.pictures import draw_png

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))

LAKE = "s3://lake"
"""The bucket that the pages name; where the examples run, a folder stands for it."""

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

_FILES = {
    "products/2026-11-21.jsonl": """\
{"sku": "A-1", "title": "Kettle", "text": "Boils a litre of water in two minutes.", "photo": "s3://lake/photos/A-1.png"}
{"sku": "A-2", "title": "Toaster", "text": "Two slots, six levels.", "photo": "s3://lake/photos/A-2.png"}
""",
    "products/2026-11-22.jsonl": """\
{"sku": "A-3", "title": "Iron", "text": "Steam in thirty seconds.", "photo": "s3://lake/photos/A-1.png"}
""",
    "reviews/part-1.csv.gz": "id,review\n7,Boils fast but it is loud.\n8,It toasts.\n",
    "manuals/A-1.pdf": "%PDF-1.7\n%%EOF\n",
    "manuals/A-2.pdf": "%PDF-1.7\n%%EOF\n",
}
_PHOTOS = ("photos/A-1.png", "photos/A-2.png")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A code block of a page; ``line`` is that of its first line of code."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """Give a name for a Dag or a test."""
        return f"{self.page.stem}_{self.line}"

    @property
    def makes_a_dag(self) -> bool:
        """Whether the block makes tasks."""
        return "Operator(" in self.text or "Operator.partial(" in self.text

    def as_dag_file(self, lake: Path) -> str:
        """Write the block as a Dag file; tasks without a Dag get one."""
        text = self.with_lake(lake)
        if "@dag" in text:
            return text
        return (
            f"from airflow.sdk import DAG\n\nwith DAG({self.name!r}, schedule=None):\n{textwrap.indent(text, '    ')}"
        )

    def with_lake(self, lake: Path) -> str:
        """Give the text with a folder in the place of the bucket."""
        return self.text.replace(LAKE, str(lake))


def examples(page: Path, language: str = "python") -> Iterator[Example]:
    """Find the blocks of one language in a page."""
    content = page.read_text(encoding="utf-8")
    for block in _BLOCK.finditer(content):
        if block[1] == language:
            line = content.count("\n", 0, block.start(2)) + 1
            yield Example(page=page, line=line, language=language, text=block[2])


def make_lake(folder: Path) -> Path:
    """Fill a folder with the data that the examples read."""
    for name, content in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        stored = content.replace(LAKE, str(folder)).encode()
        path.write_bytes(gzip.compress(stored) if path.suffix == ".gz" else stored)
    for name in _PHOTOS:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw_png(name, 1024, 1024))
    return folder
