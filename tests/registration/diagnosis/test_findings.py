"""What the doctor sees of real databases, key files, mail servers and web servers."""

import os
import ssl
import time
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from dns.exception import Timeout
from dns.resolver import NXDOMAIN, NoAnswer, Resolver

from harness.certificate import server_context
from harness.gateway import Gateway
from harness.ports import HOST
from registration.diagnosis import database as databases
from registration.diagnosis import sender_domain
from registration.diagnosis.addresses import look_at_addresses
from registration.diagnosis.database import look_at_database
from registration.diagnosis.finding import Finding, Verdict
from registration.diagnosis.keys import look_at_keys
from registration.diagnosis.machine import look_at_hashing
from registration.diagnosis.mail_server import look_at_mail_server
from registration.diagnosis.sender_domain import look_at_sender_domain
from registration.keys.agreement import keys_of_node
from registration.keys.secret import create_secret, load_secret, rotate_secret
from registration.keys.signing_keys import SigningKeys, create_signing_key
from registration.mail.senders import open_sender
from registration.mail.smtp import LONGEST_REPLY
from registration.readiness import obstacle
from registration.settings import Settings
from registration.storage.database import open_database
from tests.registration.mail.scripted_server import Replies, Script
from tests.registration.mail.test_senders import PASSWORD, USER, Mailbox, accept_password, listening

GOOD, WORSE, BAD, SKIPPED = Verdict.GOOD, Verdict.WORSE, Verdict.BAD, Verdict.SKIPPED
SENDER = "mail@shop.example"
YEAR = 366 * 86_400


def verdicts(found: list[Finding]) -> dict[str, Verdict]:
    """Each finding that is not good says what to do."""
    assert [each for each in found if each.verdict in {WORSE, BAD} and not each.mend] == []
    return {each.what: each.verdict for each in found}


class TestDatabase:
    def test_one_that_works_is_good(self, database_url: str) -> None:
        """A migrated database is good on both engines; of PostgreSQL's disk nothing is known."""
        found = verdicts(list(look_at_database(Settings(database_url=database_url))))
        is_sqlite = database_url.startswith("sqlite")
        assert found.pop("free space") is (GOOD if is_sqlite else SKIPPED)
        assert found.pop("durability", BAD) is BAD  # the tests' server runs without fsync
        assert found.pop("writing", GOOD) is GOOD
        assert found == {"database": GOOD, "schema": GOOD, "clock": GOOD}

    def test_what_is_wrong_is_told(self, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An older schema, a full file system and a directory that cannot be written are told."""
        database = open_database(sqlite_url)
        database.write(lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'"))
        database.close()
        monkeypatch.setattr(databases, "LITTLE_ROOM", float("inf"))
        monkeypatch.setattr(os, "access", lambda *_: False)
        found = verdicts(list(look_at_database(Settings(database_url=sqlite_url))))
        assert found["schema"] is found["database's directory"] is BAD
        assert found["free space"] is WORSE

    def test_a_node_that_would_not_be_ready_is_told(self, database_url: str, tmp_path: Path) -> None:
        """A secret that is not that of the other nodes is told as /readyz tells it, and an older schema once."""
        settings = Settings(database_url=database_url, keys_dir=str(tmp_path))
        create_secret(tmp_path)
        create_signing_key(tmp_path, "ES256")
        database = open_database(database_url)
        keys = keys_of_node(load_secret(tmp_path), SigningKeys(tmp_path))
        assert obstacle(database, keys) is None
        assert verdicts(list(look_at_database(settings)))["readiness"] is GOOD
        (tmp_path / "secret.key").unlink()
        create_secret(tmp_path)
        [told] = [each for each in look_at_database(settings) if each.what == "readiness"]
        assert (told.verdict, told.seen.partition(";")[0]) == (BAD, "secret.key is not that of the other nodes")
        database.write(lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'"))
        database.close()
        found = verdicts(list(look_at_database(settings)))
        assert (found["schema"], found.get("readiness")) == (BAD, None)

    @pytest.mark.parametrize(
        ("commits", "flushes", "verdict"), [("on", "on", GOOD), ("off", "on", BAD), ("on", "off", BAD)]
    )
    def test_postgresql_must_keep_what_it_says(self, commits: str, flushes: str, verdict: Verdict) -> None:
        """A server that acknowledges commits before they are safe is told."""
        assert databases.durability_finding(commits, flushes).verdict is verdict

    @pytest.mark.parametrize(
        ("statement", "seen"),
        [
            ("ALTER ROLE {role} SET default_transaction_read_only TO on", "the database is read-only"),
            (
                "REVOKE UPDATE ON mail FROM {role}",
                "the role of GATEWAY_DATABASE_URL may not read and write these tables",
            ),
        ],
    )
    def test_one_that_cannot_be_written_is_bad(
        self, postgresql_url: str, role: str, url_of_role: str, statement: str, seen: str
    ) -> None:
        """A database that readiness refuses because it cannot be written is bad here, too."""
        with psycopg.connect(postgresql_url, autocommit=True) as connection:
            connection.execute(statement.format(role=role).encode())
        found = {each.what: each for each in look_at_database(Settings(database_url=url_of_role))}
        assert found["writing"].verdict is BAD
        assert found["writing"].seen.startswith(seen)

    def test_one_that_cannot_be_reached_is_bad(self) -> None:
        """Without a server there is one line, without the password."""
        [found] = look_at_database(Settings(database_url="postgresql://gateway:correct-horse@127.0.0.1:1/gateway"))
        assert found.verdict is BAD
        assert "correct-horse" not in found.seen
        assert "Connection refused" in found.seen

    def test_one_that_is_not_there_is_not_made(self, tmp_path: Path) -> None:
        """An embedded database without a file is bad, and neither the file nor its directory is made."""
        [found] = look_at_database(Settings(database_url=f"sqlite:///{tmp_path}/typo/registration.db"))
        assert (found.verdict, found.seen) == (BAD, f"{tmp_path}/typo/registration.db: there is no such file")
        assert list(tmp_path.iterdir()) == []

    def test_one_whose_file_cannot_be_seen_is_bad(self, tmp_path: Path) -> None:
        """Where the file may be there, the line has the reason of the system."""
        [found] = look_at_database(Settings(database_url=f"sqlite:///{tmp_path}/{'x' * 256}"))
        assert (found.verdict, found.seen.endswith(": File name too long")) == (BAD, True)

    @pytest.mark.parametrize(("apart", "verdict"), [(0.0, GOOD), (0.4, GOOD), (1.5, BAD)])
    def test_clocks_may_differ_by_a_second(self, apart: float, verdict: Verdict) -> None:
        """Access tokens bear a second between the clocks of nodes, and no more."""
        assert databases.clock_finding(apart).verdict is verdict


class TestKeys:
    def test_new_ones_are_good(self, keys_directory: Path) -> None:
        """Keys that are there, closed and young are good."""
        assert verdicts(list(look_at_keys(keys_directory))) == {"keys": GOOD, "age of the keys": GOOD}

    def test_old_and_open_ones_are_told(self, tmp_path: Path) -> None:
        """Keys of more than a year, a rotation without an end, and files that others can read are told."""
        create_secret(tmp_path)
        create_signing_key(tmp_path, "ES256")
        rotate_secret(tmp_path)
        for path in tmp_path.iterdir():
            os.utime(path, (time.time() - YEAR,) * 2)
        assert verdicts(list(look_at_keys(tmp_path))) == {"keys": GOOD, "age of the keys": WORSE, "rotation": WORSE}
        (tmp_path / "secret.key").chmod(0o644)
        [found] = look_at_keys(tmp_path)
        assert (found.verdict, "open to other users" in found.seen) == (BAD, True)


class TestMailServer:
    def test_a_good_one_lets_us_in_over_tls(self, tmp_path: Path) -> None:
        """STARTTLS, authentication and the sender are tried, and no mail is sent."""
        tls, mailbox = server_context(tmp_path), Mailbox()
        trust = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        with listening(mailbox, authenticator=accept_password, tls_context=tls, require_starttls=True) as place:
            sender = open_sender(f"smtp+starttls://{quote(USER)}:{quote(PASSWORD, safe='')}@{place}", trust)
            found = list(look_at_mail_server(sender, SENDER))
        assert verdicts(found) == dict.fromkeys(("mail server", "TLS", "authentication", "sender"), GOOD)
        assert PASSWORD not in repr(found)
        assert mailbox.envelopes == []

    def test_tls_from_the_start_is_spoken_too(self, tmp_path: Path) -> None:
        """With smtps:// the first byte is of TLS."""
        trust_file = tmp_path / "cert.pem"
        with listening(Mailbox(), ssl_context=server_context(tmp_path)) as place:
            sender = open_sender(f"smtps://{place}", ssl.create_default_context(cafile=trust_file))
            found = verdicts(list(look_at_mail_server(sender, SENDER)))
        assert found == dict.fromkeys(("mail server", "TLS", "sender"), GOOD)

    @pytest.mark.parametrize(
        ("replies", "user", "step"),
        [
            ({"GREET": "554 no"}, "", "connection"),
            ({"EHLO": "550 no", "HELO": "550 no"}, "", "EHLO"),
            ({"EHLO": "250-hello\r\n250 AUTH PLAIN", "AUTH": "535 ada@example.org is wrong"}, "shop:secret@", "auth"),
            ({"MAIL": "550 not for ada@example.org"}, "", "MAIL FROM"),
        ],
    )
    def test_the_step_that_fails_is_named(self, replies: Replies, user: str, step: str) -> None:
        """Each step has its own advice; texts of the server and the password do not appear."""
        with Script(replies) as server:
            sender = open_sender(server.url.replace("//", f"//{user}"))
            *_, found = look_at_mail_server(sender, SENDER)
        assert (found.verdict, f": {step}" in found.seen) == (BAD, True)
        assert not [word for word in ("ada@", "secret") if word in repr(found)]
        assert found.mend

    def test_a_server_that_is_not_there_is_told(self) -> None:
        """Where nothing listens, the connection fails, for a reason of the system."""
        [found] = look_at_mail_server(open_sender(f"smtp://{HOST}:1"), SENDER)
        assert (found.verdict, found.seen.endswith("Connection refused")) == (BAD, True)

    @pytest.mark.parametrize(("verb", "step"), [("GREET", "connection"), ("MAIL", "MAIL FROM")])
    def test_a_reply_without_end_ends(self, verb: str, step: str) -> None:
        """The doctor reads no more of a reply than the relay does."""
        with Script({verb: "250-and so on\r\n" * LONGEST_REPLY + "250 done"}) as server:
            *_, found = look_at_mail_server(open_sender(server.url), SENDER)
        assert (found.verdict, f"{step} failed" in found.seen, "too many lines" in found.seen) == (BAD, True, True)

    def test_plain_text_is_told(self) -> None:
        """A connection without TLS is told; with a password it is bad. The scheme is named that the server offers."""
        with Script({"EHLO": "250-hello\r\n250-AUTH PLAIN\r\n250 STARTTLS", "AUTH": "235 welcome"}) as server:
            found = list(look_at_mail_server(open_sender(server.url.replace("//", "//shop:secret@")), SENDER))
            assert verdicts(found)["TLS"] is BAD
            assert "smtp+starttls://" in found[1].mend
        with Script({}) as server:
            assert verdicts(list(look_at_mail_server(open_sender(server.url), SENDER)))["TLS"] is WORSE

    @pytest.mark.parametrize("url", ["console:", "file:///{}"])
    def test_other_places_are_no_mail_server(self, url: str, tmp_path: Path) -> None:
        """A directory and the console reach no customer."""
        [found] = look_at_mail_server(open_sender(url.format(tmp_path)), SENDER)
        assert found.verdict is WORSE


class TestSenderDomain:
    def look(self, records: dict[str, list[str]], domain: str = "shop.test-shop.org") -> dict[str, Verdict]:
        return verdicts(list(look_at_sender_domain(domain, lambda name: records.get(name, []))))

    def test_a_domain_that_proves_its_mails_is_good(self) -> None:
        """SPF, a DMARC policy of the organization and a key of DKIM are found."""
        records = {
            "shop.test-shop.org": ["other", "v=spf1 mx -all"],
            "_dmarc.test-shop.org": ["v=DMARC1; p=reject"],
            "s1._domainkey.shop.test-shop.org": ["v=DKIM1; k=rsa; p=MIIB"],
        }
        assert self.look(records) == {"SPF": GOOD, "DMARC": GOOD, "DKIM": GOOD}

    def test_what_is_missing_is_told(self) -> None:
        """No or two records of SPF, no DMARC or one that asks for nothing are told; a selector can only be guessed."""
        assert self.look({}) == {"SPF": WORSE, "DMARC": WORSE, "DKIM": SKIPPED}
        weak = {"a.org": ["v=spf1 -all", "v=spf1 mx -all"], "_dmarc.a.org": ["v=DMARC1; p = none"]}
        assert self.look(weak, "a.org") == {"SPF": WORSE, "DMARC": WORSE, "DKIM": SKIPPED}

    def test_without_a_network_nothing_is_known(self) -> None:
        """Where no resolver answers nothing is bad; a made-up domain is told."""

        def fail(_name: str) -> list[str]:
            raise Timeout

        assert verdicts(list(look_at_sender_domain("a.org", fail))) == {"sender's domain": SKIPPED}
        assert self.look({}, "localhost") == {"sender's domain": WORSE}

    def test_records_are_read_by_the_resolver_of_the_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The parts of a record are one text; a name that is not there has none."""

        class Record:
            strings = (b"v=spf1 ", b"-all")

        def resolve(_resolver: Resolver, name: str, _kind: str) -> list[Record]:
            if name == "gone.org":
                raise NXDOMAIN
            if name == "empty.org":
                raise NoAnswer
            return [Record()]

        monkeypatch.setattr(Resolver, "__init__", lambda _self: None)
        monkeypatch.setattr(Resolver, "resolve", resolve)
        assert [sender_domain.texts_of(name) for name in ("a.org", "gone.org", "empty.org")] == [
            ["v=spf1 -all"],
            [],
            [],
        ]


class TestMachine:
    @pytest.mark.parametrize(
        ("memory", "wish", "verdict"), [(19_456, 3600.0, GOOD), (19_456, 0.0, WORSE), (8, 3600.0, WORSE)]
    )
    def test_a_hash_is_strong_and_quick_enough(self, memory: int, wish: float, verdict: Verdict) -> None:
        """A hash that takes longer than wished is told, and one that is too weak."""
        settings = Settings(hash_memory_kib=memory, hash_slots=1)
        [found] = [look_at_hashing(settings, wish, time.perf_counter)]
        assert verdicts([found]) == {"hashing": verdict}


class TestAddresses:
    def test_a_gateway_is_reached(self, shared_gateway: Gateway) -> None:
        """A gateway at its public address is good; an address where other paths answer is bad."""
        assert verdicts(list(look_at_addresses(shared_gateway.base_url, ""))) == {"public address": GOOD}
        elsewhere = f"{shared_gateway.base_url}/shop"
        assert verdicts(list(look_at_addresses(elsewhere, elsewhere))) == {"public address": BAD, "storefront": GOOD}

    def test_no_answer_is_told(self) -> None:
        """Nothing listens: that may be so from here only."""
        nowhere = f"http://{HOST}:1"
        assert verdicts(list(look_at_addresses(nowhere, nowhere))) == {"public address": WORSE, "storefront": SKIPPED}
