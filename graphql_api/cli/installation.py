"""The installation that a command works on: its settings, its key files and its database."""

import sys
from contextlib import closing
from pathlib import Path

from typer import Exit

from graphql_api.cli.terminal import one_line_errors, stop
from graphql_api.http.log_setup import configure_logs
from graphql_api.server.notices import tell, warn
from graphql_api.settings import GatewaySettings
from registration.environment import SettingsError, read_settings
from registration.keys.agreement import NodeKeys, keys_of_node
from registration.keys.secret import create_ledger_key, create_secret
from registration.keys.signing_keys import create_signing_keys, has_signing_key
from registration.readiness import is_file_missing, obstacle
from registration.storage.database import Database, open_database
from registration.storage.deadline import within
from registration.storage.revision import is_usable, newest
from registration.tracing import traces

START_SECONDS = 5.0
"""How long a start waits for a database server that does not answer."""


def settings_of_process() -> GatewaySettings:
    """The settings of the environment, with a warning for each GATEWAY_ variable that is not one of them."""
    settings = read_settings(GatewaySettings)
    for name in settings.unknown:
        print(f"registration-gateway: warning: {name} is not a setting of ours", file=sys.stderr)
    return settings


def settings_of_service() -> GatewaySettings:
    """The same for a process that serves: what it says from now on goes to its log."""
    settings = read_settings(GatewaySettings)
    configure_logs(development=settings.development)
    for name in settings.unknown:
        warn("not a setting of ours", variable=name)
    return settings


def migrated_database(settings: GatewaySettings) -> Database:
    """The database of the settings. Stops the command when this version cannot work on it."""
    demand_file(settings)
    database = open_database(settings.database_url)
    if not _is_migrated(database):
        database.close()
        stop(f"{settings.database_place} is not at this version; run: registration-gateway migrate")
    return database


def demand_file(settings: GatewaySettings) -> None:
    """Stop the command where an embedded database has no file: to make one would hide that the address is wrong."""
    if is_file_missing(settings):
        advice = "mend GATEWAY_DATABASE_URL, or run: registration-gateway migrate"
        stop(f"{settings.database_place}: there is no such file; {advice}")


def say_where(settings: GatewaySettings) -> None:
    """Tell where database and keys are, and whether they are new: a start in another directory must be noticed."""
    keys = Path(settings.keys_dir).absolute()
    is_new, are_keys_new = is_file_missing(settings), not has_signing_key(keys)
    tell(
        f"Database     {settings.database_place}{'  (new)' if is_new else ''}",
        f"Keys         {keys}{'  (new)' if are_keys_new else ''}",
        development=settings.development,
        event="starting",
        database=settings.database_place,
        is_database_new=is_new,
        keys=str(keys),
        are_keys_new=are_keys_new,
    )


def prepare(settings: GatewaySettings) -> None:
    """Find every mistake in the installation before the first worker starts; make the files of an embedded one."""
    from graphql_api.http.named_documents import read_manifest  # noqa: PLC0415 - other commands need not wait for it
    from registration.wiring import open_relay, open_services  # noqa: PLC0415

    read_manifest(settings.documents)
    demand_traces(settings)
    try_templates(settings)
    if settings.is_embedded:
        create_keys(Path(settings.keys_dir), settings.token_algorithm)
        migrate(settings)
    with closing(open_services(settings)) as services:
        if settings.relay == "on":
            open_relay(settings, services)
        demand_database(services.database, keys_of_node(services.secret, services.signing_keys))


def is_fit(settings: GatewaySettings) -> bool:
    """Whether a process that runs could begin anew; what stops it is printed and logged."""
    try:
        one_line_errors(prepare)(settings)
    except Exit:
        warn("not begun anew: what is printed stops a start")
        return False
    return True


def demand_traces(settings: GatewaySettings) -> None:
    """Raises SettingsError where traces are to be on, and their packages are not installed."""
    if settings.traces == "on" and not traces.can_be_on():
        raise SettingsError("GATEWAY_TRACES needs more packages: pip install 'registration-gateway[traces]'")


def try_templates(settings: GatewaySettings) -> None:
    """Raises SettingsError where a template of GATEWAY_TEMPLATES_DIR cannot be used."""
    from graphql_api.pages.samples import try_pages  # noqa: PLC0415 - other commands need not wait for it
    from registration.diagnosis.mail_samples import try_mails  # noqa: PLC0415
    from registration.templates import TemplateFault  # noqa: PLC0415
    from registration.wiring import open_shop  # noqa: PLC0415

    shop = open_shop(settings)
    try:
        try_pages(shop)
        try_mails(shop)
    except TemplateFault as error:
        raise SettingsError(f"GATEWAY_TEMPLATES_DIR: {error}") from None


def demand_database(database: Database, keys: NodeKeys) -> None:
    """Stop the command where the database cannot work until an operator acts; warn where it may by itself."""
    with within(START_SECONDS):
        found = obstacle(database, keys)
    if found and found.is_lasting:
        stop(f"GATEWAY_DATABASE_URL: {found.reason}")
    if found:
        warn("not ready", status=found.status, reason=found.reason)


def create_keys(directory: Path, made: str) -> None:
    """Create the secret, the ledger's key and signing keys of GATEWAY_TOKEN_ALGORITHM, where there are none."""
    create_secret(directory)
    create_ledger_key(directory)
    if not has_signing_key(directory):
        create_signing_keys(directory, made)


def migrate(settings: GatewaySettings) -> None:
    """Bring the database to the schema of this version."""
    database = open_database(settings.database_url)
    try:
        if not _is_migrated(database):
            _upgrade(database)
    finally:
        database.close()


def _is_migrated(database: Database) -> bool:
    revision = newest()
    return database.read(lambda connection: is_usable(connection, revision))


def _upgrade(database: Database) -> None:
    from registration.storage import migrations  # noqa: PLC0415 - Alembic takes a while to import

    try:
        migrations.migrate(database)
    except migrations.UnknownRevisionError as error:
        stop(f"GATEWAY_DATABASE_URL: {error}")
