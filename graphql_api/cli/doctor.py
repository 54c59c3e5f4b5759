"""The command doctor: what is wrong with this installation, and what to do."""

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from graphql_api.cli.installation import try_templates
from graphql_api.cli.terminal import AsJson, one_line_errors, show_json, show_table
from graphql_api.settings import GatewaySettings
from registration.diagnosis.finding import Finding, Verdict, bad, good, worse
from registration.environment import SettingsError, read_settings


@one_line_errors
def doctor(
    milliseconds: Annotated[int, typer.Option(help="how long one hash may take", min=1)] = 250,
    as_json: AsJson = False,
) -> None:
    """Look at settings, database, keys, mail server, DNS of the sender, hash speed and public addresses.

    Changes nothing and sends no mail. Ends with 0 when nothing is bad, with 1 when something is, and with 2 when the
    settings cannot be read.
    """
    found = list(_look(read_settings(GatewaySettings), milliseconds / 1000))
    if as_json:
        show_json([asdict(each) for each in found])
    else:
        columns = ("what", "verdict", "seen", "what to do")
        show_table(columns, [(each.what, each.verdict, each.seen, each.mend) for each in found])
    if any(each.verdict is Verdict.BAD for each in found):
        raise typer.Exit(1)


def _look(settings: GatewaySettings, wish: float) -> Iterator[Finding]:
    from registration.diagnosis.addresses import look_at_addresses  # noqa: PLC0415 - other commands need not wait
    from registration.diagnosis.database import look_at_database  # noqa: PLC0415
    from registration.diagnosis.keys import look_at_keys  # noqa: PLC0415
    from registration.diagnosis.machine import look_at_hashing  # noqa: PLC0415

    yield from _settings(settings)
    yield from look_at_database(settings)
    yield from look_at_keys(Path(settings.keys_dir).absolute())
    yield from _mail(settings)
    yield look_at_hashing(settings, wish, time.perf_counter)
    yield from look_at_addresses(settings.base_url, settings.storefront_url)


def _settings(settings: GatewaySettings) -> Iterator[Finding]:
    try:
        settings.demand_addresses(serves=True, sends=settings.relay == "on")
    except SettingsError as error:
        yield bad("settings", str(error), "set what the line names")
    else:
        yield good("settings", f"complete for {settings.mode}")
    yield from _templates(settings)
    for name in settings.unknown:
        yield worse("settings", f"{name} is not a setting of ours", "look for a typo: registration-gateway settings")


def _templates(settings: GatewaySettings) -> Iterator[Finding]:
    if settings.templates_dir:
        try:
            try_templates(settings)
        except SettingsError as error:
            yield bad("templates", str(error), "mend the file that the line names")
        else:
            yield good("templates", f"all of {settings.templates_dir} can be used")


def _mail(settings: GatewaySettings) -> Iterator[Finding]:
    from registration.diagnosis.mail_server import look_at_mail_server  # noqa: PLC0415
    from registration.diagnosis.sender_domain import look_at_sender_domain  # noqa: PLC0415
    from registration.wiring import senders_of  # noqa: PLC0415

    try:
        senders, address = senders_of(settings)
    except SettingsError as error:
        yield bad("mail server", str(error), "set what the line names")
        return
    for sender in senders:
        yield from look_at_mail_server(sender, address.addr_spec)
    yield from look_at_sender_domain(address.domain)
