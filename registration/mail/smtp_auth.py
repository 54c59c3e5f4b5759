"""How we sign in to a mail server: with a password, or with an access token that a file holds (XOAUTH2)."""

import binascii
import re
from functools import cache, partial
from pathlib import Path
from smtplib import SMTP, SMTPException, SMTPNotSupportedError

import structlog

PASSWORD_MECHANISMS = frozenset({"CRAM-MD5", "PLAIN", "LOGIN"})  # of smtplib
TOKEN = re.compile(r"[!-~]+")

log = structlog.get_logger(__name__)


def sign_in(client: SMTP, user: str, password: str, token_file: Path | None) -> None:
    """Raises OSError, as smtplib's errors are, without password and token.

    The file is read each time, because access tokens last an hour or so: another program keeps it fresh.
    """
    try:
        _sign_in(client, user, password, token_file)
    except binascii.Error:  # the one error of smtplib that is no OSError
        raise SMTPException("the challenge of the mail server is no Base64") from None


def _sign_in(client: SMTP, user: str, password: str, token_file: Path | None) -> None:
    offered = set(client.esmtp_features.get("auth", "").split())
    if not token_file:
        if "XOAUTH2" in offered and not offered & PASSWORD_MECHANISMS:
            raise SMTPNotSupportedError("the mail server takes access tokens only: set GATEWAY_MAIL_TOKEN_FILE")
        client.login(user, password)
        return
    if "XOAUTH2" not in offered:
        raise SMTPNotSupportedError("the mail server does not offer XOAUTH2")
    token = token_file.read_text("latin-1").strip()
    if not TOKEN.fullmatch(token):
        raise SMTPException("the file of GATEWAY_MAIL_TOKEN_FILE holds no access token")
    client.auth("XOAUTH2", partial(_answer, f"user={user}\1auth=Bearer {token}\1\1"))


def _answer(credentials: str, challenge: bytes | None = None) -> str:
    """The credentials; nothing to the server's challenge, which says why the server refuses them."""
    return credentials if challenge is None else ""


@cache
def warn_of_plain_text(host: str, port: int) -> None:
    """Log once that the credentials can be read on the way."""
    log.warning(
        "credentials travel in plain text", host=host, port=port, mend="the mail server offers smtp+starttls://"
    )
