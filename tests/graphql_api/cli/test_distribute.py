"""`registration-gateway distribute`, on PostgreSQL without Citus, and with stand-ins for what Citus provides."""

import psycopg

from registration.storage.tables import metadata
from tests.graphql_api.cli.commands import complaint, run

# As in the manual of Citus: its catalogue of distributed tables, and its two functions.
CITUS = """
    CREATE TABLE pg_dist_partition (logicalrelid regclass);
    CREATE FUNCTION create_reference_table(name regclass) RETURNS void LANGUAGE sql
        AS 'INSERT INTO pg_dist_partition VALUES (name)';
    CREATE FUNCTION create_distributed_table(name regclass, cut_by text, colocate_with text) RETURNS void LANGUAGE sql
        AS 'INSERT INTO pg_dist_partition VALUES (name)';
"""
# Every node has the whole of `operator_token`, so its key may stay as it is.
NARROW = "SELECT count(*) FROM pg_class WHERE relname LIKE 'uq_%' AND relname NOT LIKE 'uq_operator_token%'"
BY_REFERENCE = "SELECT count(*) FROM pg_class WHERE relname = 'ix_customer_reference'"


def test_without_citus_nothing_is_done(database_url: str) -> None:
    """A database without Citus is refused in one line that says what to do."""
    assert "has no Citus: run CREATE EXTENSION citus in it" in complaint(
        run("distribute", GATEWAY_DATABASE_URL=database_url)
    )


def test_every_table_is_distributed_once(postgresql_url: str) -> None:
    """Each table is given to Citus as it is marked, `customer` first; a second run has nothing left to do."""
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(CITUS)
        result = run("distribute", GATEWAY_DATABASE_URL=postgresql_url)
        assert result.exit_code == 0, result.output
        *steps, last = result.stdout.splitlines()
        assert last.startswith("The tables are distributed: ")
        for step in (
            "SELECT create_reference_table('alembic_version')",
            "SELECT create_reference_table('counter')",
            "SELECT create_distributed_table('customer', 'id', colocate_with => 'none')",
            "SELECT create_distributed_table('email_claim', 'address', colocate_with => 'none')",
            "SELECT create_distributed_table('session', 'customer_id', colocate_with => 'customer')",
            "SELECT create_distributed_table('mail', 'bucket', colocate_with => 'none')",
        ):
            assert steps.count(step) == 1
        given = [step for step in steps if "create_" in step]
        assert len(given) == len(metadata.tables) + 1
        assert "'customer'" in next(step for step in given if "distributed" in step)
        assert connection.execute(NARROW).fetchone() == (0,)
        assert connection.execute(BY_REFERENCE).fetchone() == (1,)
        assert connection.execute("SELECT oldest_revision FROM installation").fetchone() == ("0013",)
        again = run("distribute", GATEWAY_DATABASE_URL=postgresql_url)
        assert again.stdout.splitlines() == [last]


def test_a_run_that_was_broken_off_goes_on(postgresql_url: str) -> None:
    """Each table is a transaction of its own, so what is distributed already is left alone."""
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(CITUS)
        connection.execute("SELECT create_distributed_table('customer', 'id', 'none')")
        result = run("distribute", GATEWAY_DATABASE_URL=postgresql_url)
        assert "'customer', 'id'" not in result.stdout
        assert "'session', 'customer_id', colocate_with => 'customer'" in result.stdout
