"""docs/security.md and the pages beside it say what the code does: their tables are compared with it."""

import ast
import re
from collections.abc import Iterator
from inspect import signature

import pytest
from graphql import GraphQLObjectType, GraphQLUnionType, get_named_type
from starlette.routing import Route

from graphql_api.app import open_parts, routes
from graphql_api.cli.support.operators import new_operator
from graphql_api.engine.costs import costs_of
from graphql_api.operators.context import scopes_of
from graphql_api.operators.door import MOST_WRONG, WAIT
from graphql_api.operators.schema import schema as operator_schema
from graphql_api.schema import schema as strawberry_schema
from graphql_api.server.request_head import MOST_HEADERS, MOST_ITEMS, MOST_PARAMETERS
from graphql_api.settings import GatewaySettings
from graphql_api.types.user_errors import UserErrorCode
from registration.account.email_change import LIMIT_OF_A_CUSTOMER, LIMITS_OF_AN_ADDRESS
from registration.account.profile import RECENT
from registration.limits.attempts import Limit
from registration.limits.budgets import Cost
from registration.outcomes import ViolationCode
from registration.passwords.reset import REQUEST_LIMITS
from registration.records.audit import AuditKind
from registration.sessions import alerts
from registration.settings import PREFIX
from registration.signing_up.confirmation import RESEND_LIMITS
from registration.storage.database import open_database
from registration.storage.personal import OnErasure, owned_rows, personal_columns
from registration.storage.tables import metadata
from registration.support.tokens import Scope
from registration.wiring import password_policy
from rest_compat.oauth_token import GRANTS
from tests.in_process import installation
from tests.product import REPOSITORY, calls, imports, trees

DOCS = REPOSITORY / "docs"
SECURITY = (DOCS / "security.md").read_text("utf-8")
LOGS = (DOCS / "logs.md").read_text("utf-8")
PASSWORDS = (DOCS / "passwords.md").read_text("utf-8")
SCHEMA = strawberry_schema._schema
# Of the gateway: public keys are shown, and documents named by their hash. Neither protects anything.
PUBLIC = {
    "graphql_api/pages/jwks.py",
    "graphql_api/http/named_documents.py",
    "graphql_api/cli/documents.py",
}
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


def table(page: str, head: str) -> list[list[str]]:
    """The cells of the table that begins with these columns."""
    lines = page.partition(f"\n| {head}")[2].split("\n\n")[0].splitlines()[2:]
    assert lines, head
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def quoted(*cells: str) -> list[str]:
    """What stands in backticks."""
    return [name for cell in cells for name in re.findall("`([^`]+)`", cell)]


def column(rows: list[list[str]], number: int) -> list[str]:
    return quoted(*(row[number] for row in rows))


def settings_named(*beginnings: str) -> list[str]:
    names = (f"{PREFIX}{name.upper()}" for name in GatewaySettings.model_fields)
    return sorted(name for name in names if name.removeprefix(PREFIX).startswith(beginnings))


def called() -> Iterator[tuple[str, ast.Call]]:
    """Every call of the product, after what is called: `log.info`."""
    return (each for _, tree in trees() for each in calls(tree))


def root_fields() -> set[str]:
    assert SCHEMA.query_type
    assert SCHEMA.mutation_type
    return {*SCHEMA.query_type.fields, *SCHEMA.mutation_type.fields}


def shows_tokens(field: str) -> bool:
    """Whether an operation can answer with a pair of tokens."""
    assert SCHEMA.mutation_type
    union = get_named_type(SCHEMA.mutation_type.fields[field].type)
    assert isinstance(union, GraphQLUnionType)
    members = (member for member in union.types if isinstance(member, GraphQLObjectType))
    return any(get_named_type(each.type).name == "TokenPair" for member in members for each in member.fields.values())


def test_every_personal_column_is_classified() -> None:
    """Each column that is marked as personal is of one class of data, and each class says how it is protected."""
    rows = table(SECURITY, "class | columns")
    marked = [f"{each.name}.{column.name}" for each in metadata.tables.values() for column in personal_columns(each)]
    assert sorted(column(rows, 1)) == sorted(marked)
    assert all(len(row) == 3 and row[2] for row in rows)


def test_every_way_to_a_session_is_listed() -> None:
    """The operations that answer with tokens, and the endpoints of the JSON:API door that run them, are listed."""
    assert SCHEMA.mutation_type
    rows = table(SECURITY, "way | needs")
    ways = {name for name in column(rows, 0) if not name.startswith("/")}
    assert ways == {name for name in SCHEMA.mutation_type.fields if shows_tokens(name)}
    assert {name for name in column(rows, 0) if name.startswith("/")} == {"/access-tokens", "/refresh-tokens", "/token"}
    assert [grant for grant in GRANTS if f"`/token` ({grant})" not in SECURITY] == []


def test_lifetimes_are_those_of_the_settings() -> None:
    """The default of every lifetime is the one that the table names in words."""
    rows = table(SECURITY, "lifetime | setting")
    named = {quoted(setting)[0]: words for _, setting, words, _ in rows}
    settings = GatewaySettings()
    for name, words in named.items():
        number, unit = words.split()
        seconds = getattr(settings, name.removeprefix(PREFIX).lower())
        assert seconds == int(number) * SECONDS[unit.removesuffix("s")], name
    waits = settings_named("MAIL")
    others = {f"{PREFIX}QUEUE_SECONDS", f"{PREFIX}HSTS_SECONDS", *settings_named("LOCKOUT"), *waits}
    assert sorted(named) == [name for name in settings_named("") if name.endswith("_SECONDS") and name not in others]


def test_figures_without_a_setting_are_those_of_the_code() -> None:
    """The sentences about links of alerts, recent sign-ins and tokens of operators have the figures of the code."""
    told = (
        f"works once, for {alerts.LIFETIME.days} days:",
        f"A recent sign-in is {RECENT.seconds // 60} minutes old at most",
        f"by themselves after {signature(new_operator).parameters['days'].default} days",
        f"After {MOST_WRONG} wrong tokens of a client its tokens are not looked at for {WAIT // 60} minutes.",
    )
    page = " ".join(SECURITY.split())
    assert [sentence for sentence in told if sentence not in page] == []


def test_sessions_at_once_are_told() -> None:
    """The page says how many sessions a customer may have, which is any number, and what ends them."""
    (paragraph,) = [each for each in SECURITY.split("\n\n") if "sessions at once" in each]
    assert "any number of sessions" in paragraph
    assert "revokeRefreshToken" in quoted(paragraph)


def test_every_limit_is_listed() -> None:
    """Each setting that bounds what clients may do has a row, and the bounds without a setting have their figures."""
    rows = table(SECURITY, "limit | bounds")
    assert sorted(column(rows, 0)) == settings_named(
        "LIMIT_", "LOCKOUT_", "SIGN_UP_LIMIT", "QUEUE_SECONDS", "CONNECTIONS"
    )
    figures = {row[0]: row[1] for row in rows if not row[0].startswith("`")}
    assert figures == {
        "headers of a request; items in all of them; parameters of its address": (
            f"{MOST_HEADERS}; {MOST_ITEMS}; {MOST_PARAMETERS} (decision 0064)"
        ),
        "resends for an address": in_words(RESEND_LIMITS),
        "resets for an address": in_words(REQUEST_LIMITS),
        "changes to an address; of a customer": f"{in_words(LIMITS_OF_AN_ADDRESS)}; {in_words([LIMIT_OF_A_CUSTOMER])}",
    }


def in_words(limits: "tuple[Limit, ...] | list[Limit]") -> str:
    units = {seconds: f"{'an' if unit == 'hour' else 'a'} {unit}" for unit, seconds in SECONDS.items()}
    return ", ".join(f"{limit.count} {units[limit.seconds]}" for limit in limits)


def test_every_costly_operation_is_listed() -> None:
    """The operations of each cost are those that are marked with it."""
    listed = {row[0].partition(",")[0]: sorted(quoted(row[1])) for row in table(SECURITY, "cost | operations")}
    marked = {
        str(cost): sorted(name for name, what in costs_of(SCHEMA).items() if cost in what)
        for cost in (Cost.HASH, Cost.MAIL, Cost.GUESS)
    }
    assert listed == marked


def test_rules_of_values_together_are_listed() -> None:
    """The codes of these rules are codes that answers have, and each row names one at least."""
    rows = table(SECURITY, "values | rule")
    codes = {*(code.value for code in ViolationCode), *(str(code.value) for code in UserErrorCode)}
    assert all(quoted(row[1]) for row in rows)
    assert set(column(rows, 1)) - codes == set()
    assert {"PASSWORDS_DIFFER", "PASSWORD_COMMON", "DATE_OUT_OF_RANGE", "IDEMPOTENCY_CONFLICT"} <= set(column(rows, 1))


def test_sources_of_own_words_are_listed() -> None:
    """docs/passwords.md names every setting whose words no password may consist of, and that the customer's count."""
    paragraph = next(each for each in PASSWORDS.split("\n\n") if "words count as common" in each)
    urls = {"public_url": "https://blumen.example", "storefront_url": "https://blumen.example"}
    texts = urls | {"mail_from": "Blumen <post@shop.example>", "sign_in_url": "https://blumen.example"}
    texts |= {"shop_name": "Blumen", "shop_footer": "Blumen", "token_audience": "blumen", "reference_prefix": "blumen"}
    settings = {name: GatewaySettings.model_validate({name: text}) for name, text in texts.items()}
    counting = {name for name, each in settings.items() if "blumen" in password_policy(each).shop_words}
    assert set(re.findall(rf"{PREFIX}(\w+)", paragraph)) == {name.upper() for name in counting}
    assert "name and address" in paragraph


def test_every_operation_has_its_permission() -> None:
    """Each operation stands in one row, and those for the customer of the access token are the ones that ask for it."""
    rows = table(SECURITY, "operations | for whom")
    assert sorted(column(rows, 0)) == sorted(root_fields())
    (protected,) = [quoted(row[0]) for row in rows if row[1] == "the customer of the access token"]
    rooms = [REPOSITORY / "graphql_api" / room for room in ("operations", "streams")]
    sources = {path.stem: path.read_text("utf-8") for room in rooms for path in room.rglob("*.py")}
    sources["node"] = sources["me"]
    asking = {name for name in root_fields() if "context.caller()" in sources[_snake_case(name)]}
    assert set(protected) == asking


def _snake_case(name: str) -> str:
    return re.sub("([A-Z])", lambda letter: f"_{letter[1].lower()}", name)


def test_every_scope_of_operators_is_listed() -> None:
    """The fields of the operator schema stand in the row of the scope that they need."""
    rows = table(SECURITY, "scope | operators may")
    needed = scopes_of(operator_schema._schema)
    assert {quoted(row[0])[0]: sorted(quoted(row[2])) for row in rows} == {
        scope.value: sorted(name for name, needs in needed.items() if needs is scope) for scope in Scope
    }


def test_every_key_has_a_rotation() -> None:
    """Each kind of key file, and each setting that can hold or name a credential, has a maker, a use and an end."""
    rows = table(SECURITY, "key | made by")
    assert all(len(row) == 4 and all(row) for row in rows)
    assert column(rows, 0) == [
        *("secret.key", "signing-….pem", "ledger.key"),
        *settings_named("MAIL_TOKEN_FILE"),
        *(f"{PREFIX}{name}" for name in ("DATABASE_URL", "MAIL_URL", "ATTEMPTS_URL")),
    ]


def test_every_use_of_cryptography_is_listed() -> None:
    """Every purpose that values are derived for is named, and each module that the inventory names is there."""
    rows = table(SECURITY, "cryptography | for")
    (purposes,) = [quoted(row[1]) for row in rows if row[0] == "HMAC-SHA-256"]
    derived = [call.args[0] for name, call in called() if name.endswith(".derive")]
    assert set(purposes) == {ast.unparse(each).removeprefix("f").strip("'") for each in derived}
    modules = [name for name in column(rows, 2) if name.endswith(".py")]
    assert [name for name in modules if not (REPOSITORY / "registration" / name).exists()] == []
    libraries = {"hashlib", "hmac", "bcrypt", "jwt", "argon2", "_argon2_cffi_bindings", "cryptography"}
    using = {path for path, tree in trees() if libraries & {name.partition(".")[0] for name in imports(tree)}}
    assert using - {f"registration/{name}" for name in modules} == PUBLIC


def test_every_system_that_is_reached_is_listed() -> None:
    """Each setting that names an address or a host is in the table of connections."""
    named = column(table(SECURITY, "connection | named by"), 1)
    names = [name for name in settings_named("") if re.search("URL$|HOST$|PORT$|PROXIES$|ORIGINS$", name)]
    assert sorted(named) == names


def test_every_path_has_its_purpose(sqlite_url: str) -> None:
    """Every path that production serves is in the table, and nothing else is."""
    settings = GatewaySettings()
    with installation(open_database(sqlite_url), settings) as running:
        parts = open_parts(settings, running.services)
        served = {route.path for route in routes(settings, parts) if isinstance(route, Route)}
        parts.executor.close()
        parts.threads.close()
        parts.sign_ups.close()
        parts.sign_ins.close()
    plain = {path for path in served if "{" not in path}
    assert set(column(table(SECURITY, "path | for"), 0)) == plain


def test_every_event_of_the_log_is_listed() -> None:
    """The events that the process logs and the kinds of audit records are those that docs/logs.md lists."""
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    logged = {
        call.args[0].value
        for name, call in called()
        if name.rpartition(".")[2] in levels
        and name.rpartition(".")[0] in {"log", "self.logger"}
        and isinstance(call.args[0], ast.Constant)
    }
    told = {
        each.value
        for name, call in called()
        if name in {"tell", "warn"}
        for each in [*call.args[:1], *(given.value for given in call.keywords if given.arg == "event")]
        if isinstance(each, ast.Constant) and (name == "warn" or each not in call.args)
    }
    events = set(column(table(LOGS, "event of the process"), 0))
    assert events == logged | told
    trail = LOGS.partition("The audit trail records")[2]
    assert quoted(trail) == [kind.value for kind in AuditKind]


def test_no_event_is_made_of_a_value() -> None:
    """Events are constant texts, so that the list can be complete and no value gets into one."""
    made = [ast.unparse(call) for name, call in called() if re.fullmatch("log.(info|warning|error|exception)", name)]
    assert [text for text in made if not re.match(r"log\.\w+\(['\"]", text)] == []


def test_times_to_mend_are_told() -> None:
    """SECURITY.md has a number of days for each severity, fewer for the worse."""
    page = (REPOSITORY / "SECURITY.md").read_text("utf-8")
    days = [int(row[1]) for row in table(page, "severity (CVSS) | days")]
    assert len(days) == 3
    assert days == sorted(days)


@pytest.mark.parametrize(("page", "head"), [("\n| a | b |\n|---|---|\n| `x`, `y` | z |\n\n", "a | b")])
def test_tables_are_read(page: str, head: str) -> None:
    """Cells are read without their borders, and names by their backticks."""
    assert table(page, head) == [["`x`, `y`", "z"]]
    assert column(table(page, head), 0) == ["x", "y"]


def test_every_personal_column_has_its_end() -> None:
    """The table of what is kept lists exactly the personal columns, with the marks of their tables."""
    goes = {OnErasure.DELETE: "the row is deleted", OnErasure.EMPTY: "the column is emptied"}
    marked = []
    for each in metadata.sorted_tables:
        for personal in personal_columns(each):
            owned = owned_rows(each)
            assert owned, f"the rows of {each.name} belong to no customer, so no erasure ends {personal.name}"
            marked.append([f"`{each.name}.{personal.name}`", owned.kept, goes[owned.on_erasure]])
    assert table(SECURITY, "column | kept") == sorted(marked)


def test_the_marks_name_settings_that_exist() -> None:
    """A setting that the mark of a table names is one."""
    marks = " ".join(owned.kept for each in metadata.sorted_tables if (owned := owned_rows(each)))
    named = set(re.findall(r"GATEWAY_\w+", marks))
    assert named
    assert named <= set(settings_named(""))
