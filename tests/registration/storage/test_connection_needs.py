"""Sessions of PostgreSQL have the settings that we rely on, and those that the operator chose besides."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Connection

from harness.postgres import drop_database
from registration.storage.connection_needs import OptionsError, session_settings
from registration.storage.database import Misconfigured, Outage, open_database, wait_for_ever

OURS = session_settings(5, "")


class TestOptions:
    @pytest.mark.parametrize(
        "options",
        [
            "-c search_path=shop",
            "-csearch_path=shop",
            "--search_path=shop",
            "--Search-Path=shop",
            "  -c  SEARCH_PATH=shop\n",
        ],
    )
    def test_are_read_as_postgresql_reads_them(self, options: str) -> None:
        """Every spelling of a setting that PostgreSQL takes counts."""
        assert session_settings(5, options) == OURS | {"search_path": "shop"}

    def test_may_hold_escaped_spaces(self) -> None:
        """A backslash takes the next character as it is."""
        assert session_settings(5, r"-c search_path=my\ shop,\\x -c a.b=")["search_path"] == r"my shop,\x"

    def test_replace_limits(self) -> None:
        """The operator's limits replace ours; of two for one setting the last counts."""
        assert session_settings(5, "-c lock_timeout=1s -c lock_timeout=2s")["lock_timeout"] == "2s"

    @pytest.mark.parametrize("name", ["DateStyle", "TimeZone", "client_encoding", "default_transaction_isolation"])
    def test_do_not_replace_formats(self, name: str) -> None:
        """What the driver relies on stays as it is."""
        assert session_settings(5, f"-c {name}=other") == OURS

    @pytest.mark.parametrize("options", ["-e", "search_path=shop", "-c search_path", "-c", "-S 64", "--x"])
    def test_that_are_no_settings_are_refused(self, options: str) -> None:
        """Anything but settings is refused."""
        with pytest.raises(OptionsError, match=r"^may only hold settings: -c name=value$"):
            session_settings(5, options)


def show(connection: Connection) -> dict[str, str]:
    return {name: value for name, value, _ in connection.exec_driver_sql("SHOW ALL")}


@contextmanager
def session(url: str, wait: float = 5) -> Iterator["dict[str, str]"]:
    """Settings of a session of a database opened at this URL, as a write has them that comes after a read.

    They have the names that SHOW ALL gives them.
    """

    with closing(open_database(url, wait=wait)) as database:
        assert database.read(show)["transaction_isolation"] == "repeatable read"
        yield database.write(show)


class TestSession:
    def test_has_our_settings(self, postgresql_url: str) -> None:
        """A session has the formats, the limits for locks, statements and idle transactions, and our name."""
        with session(postgresql_url, wait=5) as settings:
            found = {
                name: settings[name] for name in ("DateStyle", "TimeZone", "client_encoding", "synchronous_commit")
            }
            assert found == {
                "DateStyle": "ISO, MDY",
                "TimeZone": "UTC",
                "client_encoding": "UTF8",
                "synchronous_commit": "on",
            }
            limits = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
            assert [settings[name] for name in limits] == ["5s", "10s", "10s"]
            assert settings["transaction_isolation"] == "read committed"
            assert settings["application_name"] == "registration-gateway"

    def test_has_what_the_url_says_besides(self, postgresql_url: str) -> None:
        """Options, the name of the application and parameters of libpq in the URL take effect."""
        options = quote("-c work_mem=5MB -c statement_timeout=3s")
        with session(f"{postgresql_url}?options={options}&application_name=shop-a&keepalives_idle=7") as settings:
            names = ("work_mem", "statement_timeout", "lock_timeout", "application_name", "DateStyle")
            assert [settings[name] for name in names] == ["5MB", "3s", "5s", "shop-a", "ISO, MDY"]

    def test_has_what_the_environment_says_besides(self, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """PGOPTIONS takes effect where the URL has no options, PGAPPNAME where it has no name."""
        monkeypatch.setenv("PGOPTIONS", "-c work_mem=5MB -c datestyle=German")
        monkeypatch.setenv("PGAPPNAME", "shop-b")
        with session(postgresql_url) as settings:
            names = ("work_mem", "application_name", "DateStyle")
            assert [settings[name] for name in names] == ["5MB", "shop-b", "ISO, MDY"]
        with session(f"{postgresql_url}?options=-cwork_mem%3D6MB") as settings:
            assert settings["work_mem"] == "6MB"

    def test_ignores_what_the_database_says(self, postgresql_url: str) -> None:
        """Settings of the database do not replace ours."""
        with psycopg.connect(postgresql_url, autocommit=True) as connection:
            for setting in (
                "datestyle TO 'German'",
                "default_transaction_isolation TO 'serializable'",
                "transaction_timeout TO '1min'",
            ):
                connection.execute(f"ALTER DATABASE {connection.info.dbname} SET {setting}".encode())
        with session(postgresql_url) as settings:
            assert settings["transaction_timeout"] == "0"
            assert [settings[name] for name in ("DateStyle", "transaction_isolation")] == ["ISO, MDY", "read committed"]

    def test_is_refused_with_options_that_are_no_settings(self, postgresql_url: str) -> None:
        """A URL whose options hold anything but settings is refused before a connection is made."""
        with pytest.raises(Misconfigured, match=r"^options may only hold settings"):
            open_database(f"{postgresql_url}?options=-e")

    @pytest.mark.parametrize(
        ("option", "reason"),
        {
            "shop=1": 'unrecognized configuration parameter "shop"',
            "statement_timeout=soon": 'invalid value for parameter "statement_timeout": "soon"',
            "max_connections=3": 'parameter "max_connections" cannot be changed without restarting the server',
        }.items(),
    )
    def test_is_refused_with_options_that_the_server_refuses(
        self, postgresql_url: str, option: str, reason: str
    ) -> None:
        """An option that the server does not take is a mistake of the operator, in the words of the server."""
        with (
            closing(open_database(f"{postgresql_url}?options={quote(f'-c {option}')}")) as database,
            pytest.raises(Misconfigured, match=f"^options: {reason}$"),
        ):
            database.read(lambda connection: None)

    def test_is_without_limits_in_a_migration(self, postgresql_url: str) -> None:
        """No limit of ours or of the operator's options ends a migration, and later transactions have them again."""

        def migrate(connection: Connection) -> dict[str, str]:
            wait_for_ever(connection)
            return show(connection)

        options = quote("-c transaction_timeout=7s")
        names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout")
        with closing(open_database(f"{postgresql_url}?options={options}")) as database:
            without, later = database.write(migrate), database.write(show)
        assert [without[name] for name in names] == ["0"] * 4
        assert [later[name] for name in names] == ["5s", "10s", "10s", "7s"]


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "LATIN9", "EUC_JP"])
def test_a_database_with_another_encoding_is_refused(postgres_url: str, encoding: str) -> None:
    """A database that cannot hold every name, or counts bytes, is refused with what to do, at every connection."""
    name = f"encoding_{encoding.lower()}_{uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0".encode())
    with closing(open_database(f"{postgres_url.rpartition('/')[0]}/{name}")) as database:
        for run in (database.read, database.write):
            with pytest.raises(
                Misconfigured, match=rf"^the encoding of the database is {encoding}, .*CREATE DATABASE"
            ) as refused:
                run(lambda connection: None)
            assert refused.value.outage is Outage.ENCODING
    drop_database(postgres_url, name)
