"""The mail server: each step that a mail takes there, up to the sender's address."""

import ssl
from collections.abc import Iterator
from smtplib import SMTP, SMTPResponseException

from registration.diagnosis.finding import Finding, bad, good, worse
from registration.mail.senders import Directory
from registration.mail.smtp import Client, Smtp
from registration.mail.smtp_auth import sign_in
from registration.mail.transport import Sender

MAIL = "mail server"


def look_at_mail_server(sender: Sender, address: str) -> Iterator[Finding]:
    """`address` is that of GATEWAY_MAIL_FROM; no mail is sent."""
    if not isinstance(sender, Smtp):
        place = f"the directory {sender.path}" if isinstance(sender, Directory) else "the console"
        yield worse(
            MAIL, f"mails go to {place}", "name a mail server in GATEWAY_MAIL_URL where customers are to get them"
        )
        return
    where, step = f"{sender.host}:{sender.port}", "connection"
    try:
        with Client(sender) as client:
            _expect(220, *client.connect(sender.host, sender.port))
            step = "EHLO"
            client.ehlo_or_helo_if_needed()
            if sender.scheme == "smtp+starttls":
                step = "STARTTLS"
                client.starttls(context=sender.context)
                client.ehlo()
            yield good(MAIL, f"{where} greets us and answers EHLO")
            yield _encryption(sender, client)
            if sender.user:
                step = "authentication"
                sign_in(client, sender.user, sender.password, sender.manners.token_file)
                yield good("authentication", f"{where} lets {sender.user} in")
            step = "MAIL FROM"
            _expect(250, *client.mail(address))
            yield good("sender", f"{where} takes mails from {address}")
            client.rset()
    except (OSError, UnicodeError) as error:  # all of smtplib's are OSErrors
        yield bad(MAIL, f"{where}: {step} failed: {_reason(error)}", MENDS[step])


MENDS = {
    "connection": "look at host and port of GATEWAY_MAIL_URL, at the scheme, and at the firewall",
    "EHLO": "set GATEWAY_MAIL_EHLO_NAME to the public name of this machine",
    "STARTTLS": "the certificate must fit the host in GATEWAY_MAIL_URL; smtps:// is for a port of its own",
    "authentication": "look at user and password in GATEWAY_MAIL_URL, or at GATEWAY_MAIL_TOKEN_FILE",
    "MAIL FROM": "let the mail server send for the address in GATEWAY_MAIL_FROM, or change it",
}


def _encryption(server: Smtp, client: SMTP) -> Finding:
    if isinstance(client.sock, ssl.SSLSocket):
        return good("TLS", f"{client.sock.version()}, with a certificate for {server.host}")
    offer = "smtp+starttls://" if client.has_extn("starttls") else "smtps:// or smtp+starttls://"
    if server.user:
        return bad("TLS", "the password travels in plain text", f"write {offer} in GATEWAY_MAIL_URL")
    return worse(
        "TLS", "mails with their keys travel in plain text", f"write {offer} unless the server is on this machine"
    )


def _expect(wanted: int, code: int, text: bytes) -> None:
    if code != wanted:
        raise SMTPResponseException(code, text)


def _reason(error: Exception) -> str:
    """Without the server's text, which can hold anything."""
    if isinstance(error, SMTPResponseException):
        return f"the server answers {error.smtp_code}"
    return f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"
