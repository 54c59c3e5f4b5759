"""The development mailbox, on mails that the directory sender wrote."""

import os
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from uuid import UUID

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from graphql_api.pages.mailbox import SHOWN, routes
from registration.mail.message import Message
from registration.mail.senders import open_sender
from registration.shop import Shop

ID = UUID("2c1b5bd5-6d3c-4a4c-8f7f-2f2f0b7d9a10")
PATHS = ["/mailbox", f"/mailbox/{ID}", f"/mailbox/{ID}/html"]
LINK = "http://127.0.0.1:8000/register/confirm?token=0123456789abcdef0123456789abcdef"


def client(directory: Path, peer: str = "127.0.0.1") -> TestClient:
    return TestClient(
        Starlette(routes=routes(directory, Shop())), base_url="http://localhost:8000", client=(peer, 50_000)
    )


def put(directory: Path, mail_id: UUID = ID, *, subject: str = "Please confirm", html: bool = True) -> Path:
    """Write a mail into the directory; the file."""
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = "shop@example.org", "ada@example.org", subject
    message.set_content(f"Grüße & <b>\n{LINK}\n")
    if html:
        message.add_alternative(f'<html><head></head><body><a href="{LINK}">Confirm</a></body></html>', subtype="html")
    with open_sender(f"file://{directory}").session() as session:
        session.send(mail_id, Message("", "", message.as_bytes()))
    return directory / f"{mail_id}.eml"


def test_an_empty_mailbox_says_so(tmp_path: Path) -> None:
    """Without mails, or without the directory, the page says that there are none."""
    assert "There is no mail yet" in client(tmp_path).get("/mailbox").text
    assert "There is no mail yet" in client(tmp_path / "missing").get("/mailbox").text


def test_mails_are_listed_the_newest_first(tmp_path: Path) -> None:
    """Each mail is a link with its headers as text, the newest first; other files are not listed."""
    for age, subject in enumerate(["newest", "<i>older</i>", "oldest"]):
        file = put(tmp_path, UUID(int=age), subject=subject)
        os.utime(file, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "notes.eml").write_text("Subject: private\n\n")
    (tmp_path / f".{ID}").write_text("Subject: draft\n\n")
    page = client(tmp_path).get("/mailbox").text
    places = [page.index(f'<a href="mailbox/{UUID(int=n)}">{text}</a>') for n, text in
              enumerate(["newest", "&lt;i&gt;older&lt;/i&gt;", "oldest"])]  # fmt: skip
    assert places == sorted(places)
    assert "private" not in page
    assert "draft" not in page
    assert "in the directory only" not in page


def test_a_full_mailbox_shows_the_newest(tmp_path: Path) -> None:
    """The list shows a bounded number of mails, and says that there are more."""
    for number in range(SHOWN + 1):
        put(tmp_path, UUID(int=number), subject="")
    page = client(tmp_path).get("/mailbox").text
    assert page.count("(no subject)") == SHOWN
    assert "in the directory only" in page


def test_a_mail_is_shown_whole(tmp_path: Path) -> None:
    """A mail is shown with headers, text with links, and a frame for its HTML part."""
    put(tmp_path)
    page = client(tmp_path).get(f"/mailbox/{ID}").text
    assert "<h1>Please confirm</h1>" in page
    assert '<th scope="row">To</th><td>ada@example.org</td>' in page
    assert "Grüße &amp; &lt;b&gt;" in page
    assert f'<a href="{LINK}" rel="noopener" target="_blank">' in page
    assert f'<iframe src="{ID}/html" sandbox="allow-popups allow-popups-to-escape-sandbox"' in page


def test_a_mail_without_html_has_an_empty_frame(tmp_path: Path) -> None:
    """A missing part is shown empty."""
    put(tmp_path, html=False)
    assert client(tmp_path).get(f"/mailbox/{ID}/html").text == ""


def test_the_html_part_is_locked_up(tmp_path: Path) -> None:
    """The HTML part runs no script, loads and submits nothing, even when opened alone."""
    put(tmp_path)
    answer = client(tmp_path).get(f"/mailbox/{ID}/html")
    assert f'<head><base target="_blank"></head><body><a href="{LINK}">' in answer.text
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy[:2] == ["sandbox allow-popups allow-popups-to-escape-sandbox", "default-src 'none'"]
    assert "frame-ancestors 'self'" in policy
    assert not any("script" in rule for rule in policy)


def test_the_pages_run_no_script(tmp_path: Path) -> None:
    """The pages have no script, are not cached, and send no referrer."""
    put(tmp_path)
    for path in PATHS[:2]:
        answer = client(tmp_path).get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'nonce-")
        assert "frame-ancestors 'none'" in policy
        assert "script" not in policy
        assert "<script" not in answer.text
        assert policy.split("'nonce-")[1].split("'")[0] in answer.text
    for path in PATHS:
        headers = client(tmp_path).get(path).headers
        assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:65535", "[::1]", "[::1]:80"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1"])
def test_it_opens_by_local_names(tmp_path: Path, host: str, peer: str) -> None:
    """A browser on this machine sees the mailbox under each local name."""
    put(tmp_path)
    assert [client(tmp_path, peer).get(path, headers={"Host": host}).status_code for path in PATHS] == [200] * 3


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "evil.example:8000"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost:8000@evil.example"},
        {"Host": "127.0.0.2"},
        {"Host": ""},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Anything": ""},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"X-Real-IP": "127.0.0.1"},
    ],
)
def test_it_is_shut_to_foreign_names_and_proxies(tmp_path: Path, headers: dict[str, str]) -> None:
    """A foreign host name and a forwarded request are answered 403."""
    put(tmp_path)
    for path in PATHS:
        answer = client(tmp_path).get(path, headers=headers)
        assert answer.status_code == 403
        assert "confirm" not in answer.text.lower()


def test_two_hosts_are_none(tmp_path: Path) -> None:
    """A request with two Host headers is answered 403."""
    answer = client(tmp_path).get("/mailbox", headers=[("Host", "localhost"), ("Host", "localhost")])
    assert answer.status_code == 403


@pytest.mark.parametrize("peer", ["192.0.2.1", "::ffff:192.0.2.1", "unix"])
def test_it_is_shut_to_other_machines(tmp_path: Path, peer: str) -> None:
    """A client that is not on this machine is answered 403, whatever its headers say."""
    assert client(tmp_path, peer).get("/mailbox").status_code == 403


@pytest.mark.parametrize("name", [UUID(int=0), f"{UUID(int=0)}/html", "secret", "..%2Fsecret", "%2E%2E/secret"])
def test_what_is_no_mail_is_not_found(tmp_path: Path, name: object) -> None:
    """Only the id of a mail names a file."""
    (tmp_path / "secret.eml").write_text("Subject: secret\n\n")
    (tmp_path / "mail").mkdir()
    answer = client(tmp_path / "mail").get(f"/mailbox/{name}")
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_it_can_only_be_read() -> None:
    """Only GET and HEAD are served."""
    assert [route.methods for route in routes(Path(), Shop())] == [{"GET", "HEAD"}] * 3
