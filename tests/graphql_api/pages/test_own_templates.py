"""Templates of a shop that are taken instead of ours, and what is found wrong with them before a start."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from graphql_api.pages import page
from graphql_api.pages.page import html_of
from graphql_api.pages.samples import SAMPLES, try_pages
from registration.diagnosis.mail_samples import try_mails
from registration.environment import SettingsError
from registration.language import Language
from registration.mail import rendering
from registration.mail.rendering import MailKind
from registration.settings import Settings
from registration.shop import Shop
from registration.templates import TemplateFault
from registration.wiring import open_shop
from tests.graphql_api.cli.commands import complaint, run
from tests.registration.mail.test_rendering import mail, part

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to.md"
OURS = [
    *Path(page.__file__).with_name("templates").iterdir(),
    *Path(rendering.__file__).with_name("templates").iterdir(),
]


def put(directory: Path, name: str, content: str | bytes) -> Path:
    path = directory / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def shop_with(directory: Path) -> Shop:
    return open_shop(Settings(shop_name="Café Ünal", templates_dir=str(directory)))


def try_all(shop: Shop) -> None:
    try_pages(shop)
    try_mails(shop)


def examples() -> dict[str, str]:
    """The templates of docs/how-to.md, by their place in the directory."""
    return dict(re.findall(r"`/srv/templates/(\S+)`:\n\n```jinja\n(.*?)```", HOW_TO.read_text("utf-8"), re.DOTALL))


def test_the_examples_of_the_page_work(tmp_path: Path) -> None:
    """The templates of docs/how-to.md can be used, and stand in pages and mails."""
    for name, content in examples().items():
        put(tmp_path, name, content)
    shop = shop_with(tmp_path)
    try_all(shop)
    assert sorted(examples()) == ["mails/welcome.mail", "pages/sign_in.html"]
    welcome = mail(MailKind.WELCOME, shop=shop, language=Language("de"))
    assert "Willkommen bei Café Ünal!" in part(welcome, "plain")
    assert "<p>Willkommen bei Café Ünal!</p>" in part(welcome, "html")
    html = html_of("password", "done", shop, Language.EN, "nonce")
    assert '<a href="https://shop.example/help">' in html


def test_a_copy_of_ours_changes_nothing(tmp_path: Path) -> None:
    """A directory that holds copies of our templates makes the pages and mails that we make."""
    for path in OURS:
        put(tmp_path, f"{'mails' if path.parent.parent.name == 'mail' else 'pages'}/{path.name}", path.read_bytes())
    put(tmp_path, "pages/.backup.html", b"\xff")
    own = shop_with(tmp_path)
    try_all(own)
    ours = Shop(name=own.name)
    assert html_of("secure", "done", own, Language.EN, "n") == html_of("secure", "done", ours, Language.EN, "n")
    assert mail(shop=own).as_bytes() == mail(shop=ours).as_bytes()


def test_without_a_directory_nothing_is_tried() -> None:
    """Where no directory is named, or it has pages or mails only, there is nothing to find."""
    try_all(Shop())


@pytest.mark.parametrize("room", ["pages", "mails"])
def test_one_of_the_two_is_enough(room: str, tmp_path: Path) -> None:
    """A directory with only pages or only mails can be used."""
    (tmp_path / room).mkdir()
    try_all(shop_with(tmp_path))


def test_a_template_can_use_another_of_the_shop(tmp_path: Path) -> None:
    """A file with a name of its own is a template, too, if another one uses it."""
    put(tmp_path, "pages/trouble.html", '{% include "ours/trouble.html" %}{% include "help.html" %}')
    put(tmp_path, "pages/help.html", "Call us.")
    shop = shop_with(tmp_path)
    try_all(shop)
    assert "Call us." in html_of("secure", "unavailable", shop, Language.EN, "nonce", retry_after=1)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("mails/welcome.mail", "\n{% if %}", "{path}:2: Expected an expression, got 'end of statement block'"),
        ("mails/welcome.mail", "\n\n{{ nothing }}", "{path}:3: UndefinedError: 'nothing' is undefined"),
        (
            "mails/new_device.mail",
            "{{ used.name.upper() }}",
            "{path}:1: UndefinedError: 'None' has no attribute 'upper'",
        ),
        ("mails/welcome.mail", "{% if language == 'ar' %}{{ 1 // 0 }}{% endif %}", "{path}:1: ZeroDivisionError: *"),
        (
            "mails/reset.mail",
            "{% import form as write with context %}\n{% call write.mail() %}\n{{ write.paragraph(x) }}\n{% endcall %}",
            "{path}:3: UndefinedError: 'x' is undefined",
        ),
        ("mails/welcom.mail", "", "{path}: no template of ours has this name, and none of yours uses it"),
        ("mails/write.html", "", "*confirmation.mail:2: UndefinedError: *"),
        ("pages/confirmation.html", '{% extends "missing.html" %}', "{path}:1: TemplateNotFound: missing.html"),
        ("pages/page.html", b"\xff", "{path}:1: UnicodeDecodeError: *"),
        ("pages/secure.html", "{% if state == 'taken' %}{{ nothing }}{% endif %}", "{path}:1: UndefinedError: *"),
    ],
)
def test_what_is_wrong_is_one_line(name: str, content: str | bytes, fault: str, tmp_path: Path) -> None:
    """A template that does not compile, or does not render with some sample, is named with its line."""
    path = put(tmp_path, name, content)
    with pytest.raises(TemplateFault) as raised:
        try_all(shop_with(tmp_path))
    assert re.fullmatch(re.escape(fault.format(path=path)).replace(r"\*", ".*"), str(raised.value)), str(raised.value)


def test_a_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    """A directory without pages and mails, as after a typo, is a mistake in the setting."""
    with pytest.raises(SettingsError, match=r"^GATEWAY_TEMPLATES_DIR names no directory"):
        shop_with(tmp_path)


@pytest.mark.parametrize("command", ["serve", "relay"])
def test_a_fault_stops_the_start(command: str, tmp_path: Path) -> None:
    """`serve` and `relay` end with one line that names setting, file and line."""
    path = put(tmp_path, "mails/reset.mail", "{% endif %}")
    done = run(
        command,
        GATEWAY_MODE="development",
        GATEWAY_TEMPLATES_DIR=str(tmp_path),
        GATEWAY_DATABASE_URL=f"sqlite:///{tmp_path}/r.db",
        GATEWAY_KEYS_DIR=str(tmp_path),
        GATEWAY_MAIL_URL="console:",
    )
    assert complaint(done).startswith(f"GATEWAY_TEMPLATES_DIR: {path}:1: Encountered unknown tag 'endif'.")


def test_there_are_samples_of_every_state() -> None:
    """Each state that a page behind a mailed link can be in is among the samples."""
    states = dict[str, set[str]]()
    for path in Path(page.__file__).parent.glob("*_page.py"):
        shown = getattr(import_module(f"graphql_api.pages.{path.stem}"), "PAGE", None)
        if shown:
            rendered = re.findall(r'PAGE\.render\(context, "(\w+)"', path.read_text("utf-8"))
            states[shown.name] = {*rendered, *shown.results, "unavailable"}
    assert {name: {state for state, _ in samples} for name, samples in SAMPLES.items()} == states
