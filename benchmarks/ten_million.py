"""What a registration and a sign-in cost with ten million customers on PostgreSQL: `growth`, filled by the server.

`python -m benchmarks.ten_million [CUSTOMERS]` prints a report. It takes half an hour and 30 GiB of the disk of /tmp,
so it is no part of `make bench`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, text

from benchmarks import growth
from benchmarks.growth import Growth, Loads
from benchmarks.run_record import describe_machine, timed
from harness.store import Store
from registration.storage.database import wait_for_ever
from registration.storage.tables import metadata

FEW = 1_000
CUSTOMERS = 10_000_000
SECONDS = 10.0
ROUNDS = 5

NEW = """CREATE TEMP TABLE new ON COMMIT DROP AS
SELECT gen_random_uuid() AS id, n, CAST(:moment AS timestamptz) AS moment, CAST(:password_hash AS text) AS password_hash
FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n"""
ROWS = (
    """INSERT INTO customer (id, reference, email, salutation, first_name, last_name, gender, password_hash, language,
        terms_accepted_at, created_at, updated_at, confirmed_at)
    SELECT id, 'GROWN--' || n, 'grown-' || n || '@example.org', 'Ms', 'Ada', 'Beispiel', 'Female', password_hash, 'en',
        its, its, its, its FROM new, LATERAL (SELECT moment + n * interval '1 second' AS its) AS own""",
    "INSERT INTO email_claim (address, customer_id) SELECT 'grown-' || n || '@example.org', id FROM new",
    """INSERT INTO mail (id, bucket, kind, customer_id, token_id, status, attempts, due_at, created_at, settled_at)
    SELECT id, ('x' || right(id::text, 1))::bit(4)::int, 'confirmation', id, gen_random_uuid(), 'sent', 1,
        moment, moment, moment FROM new""",
    "INSERT INTO event (id, kind, customer_id, created_at) SELECT id, 'customer.created', id, moment FROM new",
    "INSERT INTO audit (id, kind, customer_id, created_at) SELECT id, 'sign-in', id, moment FROM new",
    "INSERT INTO session (id, customer_id, created_at) SELECT id, id, moment FROM new",
    """INSERT INTO refresh_token (digest, session_id, customer_id, expires_at)
    SELECT repeat(replace(id::text, '-', ''), 2), id, id, moment FROM new""",
)
# Foreign keys last: each needs the key that it points to.
CONSTRAINTS = """SELECT conrelid::regclass, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype IN ('p', 'u', 'f') AND conrelid::regclass::text = ANY(:tables) ORDER BY contype = 'f'"""
INDEXES = """SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid::regclass::text = ANY(:tables)"""


def fill(filled: Store, size: int) -> None:
    """Without indexes and keys, which are built at the end: to keep ten million entries sorted would take an hour."""
    with filled.opened() as database:
        present = database.read(lambda connection: connection.scalar(text("SELECT count(*) FROM customer")) or 0)
        database.write(lambda connection: _fill(connection, present, size))
        database.write(_analyze)


def _fill(connection: Connection, first: int, size: int) -> None:
    wait_for_ever(connection)
    connection.execute(text("SET LOCAL maintenance_work_mem = '1GB'"))
    tables = {"tables": list(metadata.tables)}
    constraints: Sequence[Any] = connection.execute(text(CONSTRAINTS), tables).all()
    for table, name, _ in reversed(constraints):
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    indexes: Sequence[Any] = connection.execute(text(INDEXES), tables).all()
    for name, _ in indexes:
        connection.exec_driver_sql(f"DROP INDEX {name}")
    given = {"first": first, "last": size - 1, "moment": growth.LONG_AGO, "password_hash": growth.PLACEHOLDER_HASH}
    connection.execute(text(NEW), given)
    for statement in ROWS:
        connection.exec_driver_sql(statement)
    for _, definition in indexes:
        connection.exec_driver_sql(definition)
    for table, name, definition in constraints:
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")


def _analyze(connection: Connection) -> None:
    wait_for_ever(connection)
    connection.execute(text("ANALYZE"))


def report(few: Growth, many: Growth) -> str:
    """A table of CPU milliseconds of server and database."""
    rows = (
        ("registration", few.registration_ms, many.registration_ms),
        ("sign-in", few.sign_in_ms, many.sign_in_ms),
        ("registration, cheapest hash", few.without_hash_ms, many.without_hash_ms),
    )
    heading = f"| CPU ms | {few.customers:,} customers | {many.customers:,} | ratio |\n|---|---|---|---|\n"
    return heading + "\n".join(f"| {name} | {a:.2f} | {b:.2f} | {b / a:.3f} |" for name, a, b in rows)


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else CUSTOMERS
    machine = describe_machine()
    with timed("growth"), TemporaryDirectory() as directory:
        few, many = growth.measure(Path(directory), "postgresql", (FEW, size), Loads(SECONDS, ROUNDS), fill)
    print(f"{machine}\n\n{report(few, many)}")


if __name__ == "__main__":
    main()
