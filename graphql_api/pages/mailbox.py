"""The development mailbox: shows the mails of a file:/// directory to browsers on this machine."""

import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname
from uuid import UUID

from starlette.datastructures import Address
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from graphql_api.pages.page import TEMPLATES
from registration.language import Language
from registration.shop import Shop

SHOWN = 100
FILE_STEM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Any other name may be that of a foreign page that resolves to this machine (DNS rebinding).
LOCAL_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)
# A proxy has forwarded the request, so its client may be on any machine.
FORWARDED = re.compile(r"x-forwarded-.*|forwarded|via|x-real-ip", re.IGNORECASE)
# Links may open an ordinary tab; the mail itself can run, load and send nothing.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"

View = Callable[[Path, Request], Response]


@dataclass(frozen=True, slots=True)
class Summary:
    """One line of the list."""

    id: UUID
    headers: EmailMessage


def routes(directory: Path, shop: Shop) -> list[Route]:
    """Every response is 403 unless the browser runs on this machine and uses a local name for it."""
    pages: dict[str, View] = {
        "/mailbox": partial(_list, shop),
        "/mailbox/{id:uuid}": partial(_show, shop),
        "/mailbox/{id:uuid}/html": _show_html,
    }
    return [Route(path, partial(_guarded, view, directory), methods=["GET"]) for path, view in pages.items()]


def _guarded(view: View, directory: Path, request: Request) -> Response:
    if not _is_local(request):
        return PlainTextResponse("The mailbox opens on this machine only, at localhost or 127.0.0.1.\n", 403)
    try:
        return view(directory, request)
    except FileNotFoundError:
        return PlainTextResponse("There is no such mail.\n", 404)


def _is_local(request: Request) -> bool:
    hosts = request.headers.getlist("host")
    return (
        len(hosts) == 1
        and LOCAL_HOST.fullmatch(hosts[0]) is not None
        and not any(map(FORWARDED.fullmatch, request.headers.keys()))
        and _is_loopback(request.client)
    )


def _is_loopback(client: Address | None) -> bool:
    try:
        return client is not None and ip_address(client.host).is_loopback
    except ValueError:
        return False


def _list(shop: Shop, directory: Path, request: Request) -> Response:
    return _page(shop, "mailbox.html", mails=list(_summaries(directory)), directory=directory, shown=SHOWN)


def _show(shop: Shop, directory: Path, request: Request) -> Response:
    mail_id = request.path_params["id"]
    message = _read(directory, mail_id)
    return _page(shop, "mailbox_mail.html", id=mail_id, message=message, text=_part(message, "plain"), sandbox=SANDBOX)


def _show_html(directory: Path, request: Request) -> Response:
    html = _part(_read(directory, request.path_params["id"]), "html")
    # Without this a link would open inside the frame.
    html = html.replace("<head>", '<head><base target="_blank">', 1)
    return _secure(
        html,
        f"sandbox {SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'self'",
    )


def _page(shop: Shop, template: str, **facts: object) -> Response:
    nonce = secrets.token_urlsafe(16)
    return _secure(
        TEMPLATES.get_template(template).render(nonce=nonce, language=Language.EN, tone="", shop=shop, **facts),
        f"default-src 'none'; style-src 'nonce-{nonce}'; frame-src 'self'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
    )


def _secure(html: str, policy: str) -> Response:
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
    }
    return HTMLResponse(html, headers=headers)


def _summaries(directory: Path) -> Iterator[Summary]:
    """The newest mails, newest first, at most SHOWN."""
    files = [path for path in directory.glob("*.eml") if FILE_STEM.fullmatch(path.stem)]
    for path in sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)[:SHOWN]:
        with path.open("rb") as file:
            yield Summary(UUID(path.stem), BytesParser(EmailMessage, policy=default).parse(file, headersonly=True))


def _read(directory: Path, mail_id: UUID) -> EmailMessage:
    with (directory / f"{mail_id}.eml").open("rb") as file:
        return BytesParser(EmailMessage, policy=default).parse(file)


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part else ""


def mail_directory(mail_url: str) -> Path:
    """The directory of a file: address, as the sender of mails reads it."""
    return Path(url2pathname(urlsplit(mail_url).path))
