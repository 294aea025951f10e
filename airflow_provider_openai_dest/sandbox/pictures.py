"""Pictures drawn with the standard library alone: a pattern of coloured squares, always the same for the same words."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from hashlib import blake2b

SQUARES = 8  # in each direction; the left half is mirrored to the right
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Four colours, the first of them the background, and for each square the number of its colour."""

    colours: tuple[Colour, ...]
    rows: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, words: str) -> Pattern:
        """Derive the pattern from the words' hash."""
        digest = blake2b(words.encode("utf-8", "surrogatepass"), digest_size=44).digest()
        colours = [(200 + red % 56, 200 + green % 56, 200 + blue % 56) for red, green, blue in [tuple(digest[:3])]]
        colours += [(digest[at] % 200, digest[at + 1] % 200, digest[at + 2] % 200) for at in (3, 6, 9)]
        left = [[value % 4 for value in digest[at : at + SQUARES // 2]] for at in range(12, 44, SQUARES // 2)]
        return cls(colours=tuple(colours), rows=tuple((*half, *reversed(half)) for half in left))


def draw_png(words: str, width: int, height: int, *, is_transparent: bool = False) -> bytes:
    """Draw a PNG of that size; both sides must be divisible by 16. Small (kilobytes) and fast at any size."""
    pattern = Pattern.of(words)
    # Two bits a pixel, four pixels a byte: a square's part of a line is one byte value repeated.
    edges = [width * place // SQUARES // 4 for place in range(SQUARES + 1)]
    lines = []
    for number, row in enumerate(pattern.rows):
        runs = (bytes([colour * 0b01010101]) * (edges[x + 1] - edges[x]) for x, colour in enumerate(row))
        pixels = b"".join(runs).ljust(-(-width // 4), b"\0")
        repeats = height * (number + 1) // SQUARES - height * number // SQUARES
        lines.append((b"\0" + pixels) * repeats)
    head = struct.pack(">IIBBBBB", width, height, 2, 3, 0, 0, 0)
    palette = b"".join(bytes(colour) for colour in pattern.colours)
    chunks = [(b"IHDR", head), (b"PLTE", palette)]
    if is_transparent:
        chunks.append((b"tRNS", b"\0"))
    chunks += [(b"IDAT", zlib.compress(b"".join(lines), 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def draw_svg(words: str, width: int, height: int) -> bytes:
    """Draw an SVG of that size."""
    pattern = Pattern.of(words)
    paints = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in pattern.colours]
    squares = "".join(
        f'<rect x="{x}" y="{y}" width="1" height="1" fill="{paints[colour]}"/>'
        for y, row in enumerate(pattern.rows)
        for x, colour in enumerate(row)
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
    return f'{head} viewBox="0 0 {SQUARES} {SQUARES}" preserveAspectRatio="none">{squares}</svg>'.encode()


def png_size(data: bytes) -> tuple[int, int] | None:
    """Read width and height of a PNG; None when it is none."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or len(data) < 24:
        return None
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
