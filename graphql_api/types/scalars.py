"""The scalars Date and DateTime. Date accepts YYYY-MM-DD only, not the other forms of ISO 8601."""

from datetime import date, datetime

import strawberry

from registration.rules.form import as_date

RFC_3339 = "https://www.rfc-editor.org/rfc/rfc3339#section-5.6"


def _parse(value: object) -> date:
    day = as_date(value)
    if day is None:
        raise ValueError("not a date written YYYY-MM-DD")
    return day


DATE = strawberry.scalar(
    name="Date",
    description="A calendar date, YYYY-MM-DD (RFC 3339, full-date).",
    specified_by_url=RFC_3339,
    serialize=date.isoformat,
    parse_value=_parse,
)

DATE_TIME = strawberry.scalar(
    name="DateTime",
    description="A moment in UTC, for example 2026-11-23T13:10:00.123456+00:00 (RFC 3339).",
    specified_by_url=RFC_3339,
    serialize=datetime.isoformat,
)
