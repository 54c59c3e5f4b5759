"""JSON that people read, too."""

import json
from datetime import datetime


def readable_json(value: object) -> str:
    """Indented, letters as they are; moments in ISO 8601, and what JSON does not have as text."""
    return json.dumps(value, default=_as_text, indent=2, ensure_ascii=False)


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
