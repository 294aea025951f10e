"""Inputs: the files that the benchmarks send, of English words and always the same."""

from __future__ import annotations

import json
import random
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".bench" / "inputs"

_TEXT = """
the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not
what all were we when your can said there use an each which she do how their if will up other about out many then
them these so some her would make like him into time has look two more write go see number no way could people my
than first water been call who oil its now find long down day did get come made may part over new sound take only
little work know place year live me back give most very after thing our just name good sentence man think say great
where help through much before line right too mean old any same tell boy follow came want show also around form
three small set put end does another well large must big even such because turn here why ask went men read need land
different home us move try kind hand picture again change off play spell air away animal house point page letter
mother answer found study still learn should world
"""
WORDS = _TEXT.split()


def texts_file(count: int, shortest: int = 40, longest: int = 120) -> Path:
    """Give a JSON Lines file of so many records ``{"sku": "p-7", "text": "..."}``, texts of so many characters."""
    path = FOLDER / f"texts-{count}-{shortest}-{longest}.jsonl"
    if path.exists():
        return path
    FOLDER.mkdir(parents=True, exist_ok=True)
    chance = random.Random(20_261_128)  # noqa: S311 - the same texts each time
    part = path.with_suffix(".part")
    with part.open("w") as file:
        for number in range(count):
            record = {"sku": f"p-{number}", "text": _text(chance, chance.randint(shortest, longest))}
            file.write(json.dumps(record) + "\n")
    part.rename(path)
    return path


def large_file(size: int) -> Path:
    """Give a file of so many bytes, written to the disk."""
    path = FOLDER / f"large-{size}.jsonl"
    if path.exists() and path.stat().st_size == size:
        return path
    FOLDER.mkdir(parents=True, exist_ok=True)
    block = random.Random(1).randbytes(1 << 20)  # noqa: S311 - any bytes will do
    with path.open("wb") as file:
        for start in range(0, size, len(block)):
            file.write(block[: size - start])
    return path


def _text(chance: random.Random, length: int) -> str:
    words = " ".join(chance.choices(WORDS, k=length // 2 + 1))
    return words[:length].strip().ljust(length, "s")
