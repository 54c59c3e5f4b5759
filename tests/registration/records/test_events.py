"""Events, as other systems read them."""

import re
from pathlib import Path

from registration.records.events import EventKind

PAGE = Path(__file__).parents[3] / "docs" / "events.md"


def test_the_page_of_events_lists_every_kind() -> None:
    """docs/events.md says when each kind is written, and names no other."""
    listed = re.findall(r"^\| `(customer\.[a-z_]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert listed == list(EventKind)
