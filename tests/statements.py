"""Every statement that the program sends in this process is collected, and judged as an engine of several nodes would.

A statement of a function on the list may go to every shard. None may lock across shards or join what lies apart.
"""

import sys
from types import FrameType
from typing import Any

from sqlalchemy import Engine, event

from tests.shards import Trouble, troubles

PACKAGES = ("registration.", "graphql_api.", "rest_compat.")
OURS = (*PACKAGES, "tests.", "harness.", "benchmarks.", "fuzz.")
# It runs what it is given; the function that gives it is meant.
DATABASE = "registration.storage.database"
# They run before a database is distributed.
MIGRATIONS = "registration.storage.migrations"

KEY = "a key names no customer: each shard looks into its index, without a lock"
SCAN = "housekeeping looks for what is over; it then changes row by row, each in its shard"
PERSON = (
    "rows about a customer that are distributed by something else; once in a customer's life, without a row lock first"
)
OPERATOR = "an operator asks for it"
FACTS = "a read of the relay, for one kind of mail that is rare"

ACROSS_SHARDS = {
    "registration.keys.owners.owner_of": KEY,
    "registration.sessions.sessions._lock_family": KEY,
    "registration.signing_up.confirmation.pending_sign_up": KEY,
    "registration.passwords.reset._refusal": KEY,
    "registration.passwords.reset._words_of_customer": KEY,
    "registration.account.email_change.address_of_key": KEY,
    "registration.account.data_export._owner": KEY,
    "registration.addresses.holders.nearest_claim": "a range, so that an unknown address costs what a known one does",
    "registration.limits.lockout.DatabaseLockout.forget": "the counts of an address are found by a prefix",
    "registration.addresses.forgetting.forget_address": PERSON,
    "registration.addresses.forgetting._waiting_forms": PERSON,
    "registration.addresses.pending.erase_pending": PERSON,
    "registration.account.erasure.erase_confirmed": PERSON,
    "registration.account.email_change.move_address": PERSON,
    "registration.account.securing.secure_account": PERSON,
    "registration.account.data_export._rows": PERSON,
    "registration.records.audit.forget_person": PERSON,
    "registration.records.audit.forget_address": PERSON,
    "registration.records.audit.forget_former_addresses": PERSON,
    "registration.records.audit.former_addresses": PERSON,
    "registration.mail.outbox.withdraw": "a customer's mails lie in all buckets; before a further mail of the kind",
    "registration.mail.composition._add_told": FACTS,
    "registration.mail.composition._add_tokens": FACTS,
    "registration.mail.outbox.park_unreadable": "a row that cannot be read tells no bucket",
    "registration.addresses.pending.expired_accounts": SCAN,
    "registration.account.housekeeping._bring_mails_forward": SCAN,
    "registration.account.housekeeping._forget": SCAN,
    "registration.account.housekeeping._forget_decoys": SCAN,
    "registration.records.audit.forget_strangers": SCAN,
    "registration.records.backlog._count": "metrics, when they are asked for",
    "registration.records.backlog.backlog": "metrics, when they are asked for",
    "registration.mail.composition.waiting_under": OPERATOR,
    "registration.mail.listing._read": OPERATOR,
    "registration.mail.listing._read_one": OPERATOR,
    "registration.mail.listing.list_mails": OPERATOR,
    "registration.mail.listing.retry_mails": OPERATOR,
    "registration.records.audit.trail": OPERATOR,
    "registration.support.search.find": OPERATOR,
    "registration.support.search.by_reference": OPERATOR,
    "registration.account.erasure_proof.prove": OPERATOR,
    "registration.account.reapplied_erasures._find": OPERATOR,
    "registration.account.reapplied_erasures._erase_again": OPERATOR,
    "registration.account.erasure_proof.Search._look_into": OPERATOR,
    "registration.account.erasure_proof._customers_named": OPERATOR,
}
"""Functions whose statements may go to every shard, with the reason."""

_judged: set[tuple[str, str]] = set()
_strays: list[str] = []


def collect() -> None:
    """Judge all statements from now on."""
    event.listen(Engine, "before_cursor_execute", _judge)


def new_strays() -> list[str]:
    """What was found since the last call: function, trouble and statement."""
    found, _strays[:] = _strays[:], []
    return found


def _judge(_connection: Any, _cursor: Any, sql: str, _parameters: Any, context: Any, _many: bool) -> None:
    function = _sender()
    text = context.compiled.string if context.compiled else sql
    if not function.startswith(PACKAGES) or function.startswith(MIGRATIONS) or (function, text) in _judged:
        return
    _judged.add((function, text))
    found = troubles(context.compiled.statement if context.compiled else sql)
    if function in ACROSS_SHARDS:
        found -= {Trouble.EVERY_SHARD}
    _strays.extend(f"{function} {trouble.value}: {text}" for trouble in found)


def _sender() -> str:
    """The innermost function that is ours: one of the program, or of a test or benchmark, which may do as it likes."""
    frame: FrameType | None = sys._getframe(2)
    while frame:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(OURS) and module != DATABASE:
            return f"{module}.{frame.f_code.co_qualname.partition('.<locals>')[0]}"
        frame = frame.f_back
    return ""
