"""Registrations and bare hashes a second as a PNG."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from benchmarks.registrations import Registrations
from benchmarks.report import label

ROW, LEFT, WIDTH, TOP = 30, 330, 620, 90
BARE_COLOUR, RATE_COLOUR, INK = "#c9d3e0", "#1f5fa8", "#1b1f24"


def draw(path: Path, machine: str, rows: Sequence[Registrations]) -> None:
    """A bar for each row: registrations dark, bare hashes light."""
    picture = Image.new("RGB", (LEFT + WIDTH + 160, TOP + ROW * len(rows) + 30), "white")
    pen = ImageDraw.Draw(picture)
    title, text = ImageFont.load_default(18), ImageFont.load_default(14)
    pen.text((20, 15), "Registrations (dark) and bare Argon2id hashes (light) a second", INK, title)
    pen.text((20, 48), machine, INK, text)
    scale = WIDTH / max(max(row.rate, row.bare_rate) for row in rows)
    for number, row in enumerate(rows):
        y = TOP + number * ROW
        pen.text((20, y + 3), label(row), INK, text)
        pen.rectangle((LEFT, y, LEFT + row.bare_rate * scale, y + ROW - 8), BARE_COLOUR)
        pen.rectangle((LEFT, y + 4, LEFT + row.rate * scale, y + ROW - 12), RATE_COLOUR)
        end = LEFT + max(row.rate, row.bare_rate) * scale + 8
        pen.text((end, y + 3), f"{row.rate:.0f} of {row.bare_rate:.0f} ({row.ratio:.2f})", INK, text)
    picture.save(path)
