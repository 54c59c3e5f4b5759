"""The probes of an orchestrator, on both engines."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from registration.storage.database import Database, open_database
from tests.graphql_api.installation import Installation, installed


def probe(installation: Installation, path: str) -> tuple[int, str, str]:
    response = installation.client.get(path)
    return response.status_code, response.json()["status"], response.headers["cache-control"]


def test_a_gateway_with_a_current_database_is_ready(installation: Installation) -> None:
    """Both probes answer 200, and are not cached."""
    assert probe(installation, "/healthz") == (200, "alive", "no-store")
    assert probe(installation, "/readyz") == (200, "ready", "no-store")


def test_a_gateway_whose_database_is_behind_is_alive_but_not_ready(database: Database) -> None:
    """With an old schema the process is alive and not ready."""
    database.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = 'older'")))
    with installed(database) as installation:
        assert probe(installation, "/readyz") == (503, "migrations missing", "no-store")
        assert probe(installation, "/healthz") == (200, "alive", "no-store")


def test_a_gateway_on_an_empty_database_is_not_ready(database: Database) -> None:
    """With an empty database the process is not ready."""
    database.write(lambda connection: connection.execute(text("DROP TABLE alembic_version")))
    with installed(database) as installation:
        assert probe(installation, "/readyz") == (503, "migrations missing", "no-store")


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/nothing", "sqlite:///{directory}/gone/file.db"])
def test_a_gateway_whose_database_is_gone_is_alive_but_not_ready(tmp_path: Path, url: str) -> None:
    """Without a database the process is alive and not ready, and the answer gives no reason."""
    database = open_database(url.format(directory=tmp_path), wait=0.1)
    shutil.rmtree(tmp_path / "gone", ignore_errors=True)
    with installed(database) as installation:
        assert probe(installation, "/readyz") == (503, "database unreachable", "no-store")
        assert probe(installation, "/healthz") == (200, "alive", "no-store")
