"""The registrations beside their limit as a PNG; it draws what it is given."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from benchmarks.registrations import Registrations
from benchmarks.report import label

ROW, LEFT, WIDTH, TOP = 30, 330, 620, 90
LIMIT_COLOUR, RATE_COLOUR, INK = "#c9d3e0", "#1f5fa8", "#1b1f24"


def draw(path: Path, machine: str, rows: Sequence[Registrations]) -> None:
    """A bar for each row: dark what was registered, light the bare limit."""
    picture = Image.new("RGB", (LEFT + WIDTH + 160, TOP + ROW * len(rows) + 30), "white")
    pen = ImageDraw.Draw(picture)
    title, text = ImageFont.load_default(18), ImageFont.load_default(14)
    pen.text((20, 15), "Registrations a second (dark) and the bare Argon2id limit (light)", INK, title)
    pen.text((20, 48), machine, INK, text)
    scale = WIDTH / max(max(row.rate, row.limit) for row in rows)
    for number, row in enumerate(rows):
        y = TOP + number * ROW
        pen.text((20, y + 3), label(row), INK, text)
        pen.rectangle((LEFT, y, LEFT + row.limit * scale, y + ROW - 8), LIMIT_COLOUR)
        pen.rectangle((LEFT, y + 4, LEFT + row.rate * scale, y + ROW - 12), RATE_COLOUR)
        end = LEFT + max(row.rate, row.limit) * scale + 8
        pen.text((end, y + 3), f"{row.rate:.0f} of {row.limit:.0f} ({row.ratio:.2f})", INK, text)
    picture.save(path)
