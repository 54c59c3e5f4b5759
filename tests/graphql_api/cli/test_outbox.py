"""The commands `outbox list` and `outbox retry`."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection

from registration.mail.outbox import Job, claim, due_ids, enqueue, postpone, settle
from registration.storage.database import Database
from tests.graphql_api.cli.commands import complaint, run
from tests.registration.people import signed_up

NOW = datetime(2026, 11, 23, 13, 10, tzinfo=UTC)


def claim_due(connection: Connection) -> list[Job]:
    return claim(connection, due_ids(connection, NOW, 10), NOW)


class TestOutbox:
    @pytest.fixture(autouse=True)
    def two_parked_and_one_waiting(self, database: Database) -> None:
        def post_one(connection: Connection, kind: str, now: datetime) -> None:
            enqueue(connection, kind=kind, customer_id=uuid4(), token_id=None, now=now)

        def work(connection: Connection) -> None:
            post_one(connection, "confirmation", NOW)
            post_one(connection, "confirmation", NOW)
            settle(connection, claim_due(connection), "parked", NOW, "550 no such mailbox")
            post_one(connection, "welcome", NOW + timedelta(days=1))

        database.write(work)

    def test_lists_mails_that_were_given_up(self, database_url: str) -> None:
        """`outbox list` shows a line for each parked mail, with the mail server's reason."""
        result = run("outbox", "list", GATEWAY_DATABASE_URL=database_url)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.count("550 no such mailbox") == 2
        assert len([line for line in result.stdout.splitlines() if "2026-11-23 13:10:00" in line]) == 2
        assert "welcome" not in result.stdout

    def test_lists_mails_of_another_status(self, database_url: str) -> None:
        """`--status` chooses the mails that are shown, and `--limit` how many."""
        waiting = run("outbox", "list", "--status", "waiting", GATEWAY_DATABASE_URL=database_url)
        assert "welcome" in waiting.stdout
        assert "no such mailbox" not in waiting.stdout
        one = run("outbox", "list", "--limit", "1", GATEWAY_DATABASE_URL=database_url)
        assert one.stdout.count("550 no such mailbox") == 1

    def test_lists_mails_that_wait_after_a_failure(self, database: Database, database_url: str) -> None:
        """Without `--status` a mail is shown that waits for an operator, and none that was not tried yet."""

        def fail(connection: Connection) -> None:
            enqueue(connection, kind="reset", customer_id=uuid4(), token_id=None, now=NOW)
            postpone(connection, claim_due(connection), NOW, "ours to mend: sender refused: 553 5.7.1", None)

        database.write(fail)
        mails = json.loads(run("outbox", "list", "--json", GATEWAY_DATABASE_URL=database_url).stdout)
        assert sorted((mail["kind"], mail["status"]) for mail in mails) == [
            *[("confirmation", "parked")] * 2,
            ("reset", "waiting"),
        ]

    def test_names_the_customer(self, database: Database, database_url: str) -> None:
        """A mail is listed with the reference of its customer."""
        signed_up(database, reference="DE--25")
        listed = run("outbox", "list", "--status", "waiting", GATEWAY_DATABASE_URL=database_url)
        (line,) = [line for line in listed.stdout.splitlines() if "DE--25" in line]
        assert [cell.strip() for cell in line.split("│")][2:4] == ["DE--25", "confirmation"]

    def test_lists_as_json(self, database_url: str) -> None:
        """`--json` prints an array with an object for each mail, for a program."""
        result = run("outbox", "list", "--status", "waiting", "--json", GATEWAY_DATABASE_URL=database_url)
        ((mail_id, rest),) = [(mail.pop("id"), mail) for mail in json.loads(result.stdout)]
        assert str(UUID(mail_id)) == mail_id
        assert rest == {
            "kind": "welcome",
            "status": "waiting",
            "attempts": 0,
            "created_at": "2026-11-24T13:10:00+00:00",
            "due_at": "2026-11-24T13:10:00+00:00",
            "reason": None,
            "reference": None,
        }

    def test_queues_all_that_were_given_up(self, database_url: str) -> None:
        """`outbox retry` queues all parked mails; a second call finds none."""
        assert run("outbox", "retry", GATEWAY_DATABASE_URL=database_url).stdout == "2 queued again.\n"
        assert run("outbox", "retry", GATEWAY_DATABASE_URL=database_url).stdout == "0 queued again.\n"
        assert "no such mailbox" not in run("outbox", "list", GATEWAY_DATABASE_URL=database_url).stdout

    def test_queues_those_that_are_named(self, database_url: str) -> None:
        """`outbox retry` with ids queues those mails only, and ignores an unknown id."""
        listed = run("outbox", "list", "--limit", "1", GATEWAY_DATABASE_URL=database_url).stdout
        mail_id = next(word for word in listed.split() if word.count("-") == 4)
        result = run("outbox", "retry", mail_id, str(uuid4()), GATEWAY_DATABASE_URL=database_url)
        assert result.stdout == "1 queued again.\n"

    @pytest.mark.parametrize(
        "arguments", [["list", "--status", "lost"], ["list", "--limit", "0"], ["retry", "not-an-id"], ["lose"]]
    )
    def test_explains_its_use(self, arguments: list[str], database_url: str) -> None:
        """Wrong arguments are answered with the usage and status 2."""
        result = run("outbox", *arguments, GATEWAY_DATABASE_URL=database_url)
        assert result.exit_code == 2
        assert "Usage:" in result.stderr


@pytest.mark.parametrize("command", ["list", "retry"])
class TestOutboxWithoutItsDatabase:
    def test_says_how_to_get_one_of_this_version(self, command: str) -> None:
        """With an empty or old database the command names `migrate`."""
        Path("new.db").touch()
        reason = complaint(run("outbox", command, GATEWAY_DATABASE_URL="sqlite:///new.db"))
        assert reason == f"{Path.cwd()}/new.db is not at this version; run: registration-gateway migrate"

    def test_says_that_the_database_cannot_be_reached(self, command: str) -> None:
        """With an unreachable database the command ends with one line."""
        url = "postgresql://gateway:correct-horse@127.0.0.1:1/gateway"
        assert complaint(run("outbox", command, GATEWAY_DATABASE_URL=url)).startswith("GATEWAY_DATABASE_URL: ")
