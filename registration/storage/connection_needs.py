"""What a session of PostgreSQL must be like: each setting that we rely on is stated when a connection is made.

A database, a role, the environment (PGOPTIONS, PGDATESTYLE, …), a pooler and the URL can all give a session other
settings than the defaults of PostgreSQL. Nothing else in this program may depend on a setting that is not stated here.
"""

import re
from collections.abc import Iterator, Mapping

FIXED: Mapping[str, str] = {
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
}
"""How the driver and the server write values to each other: no option of the operator changes these."""

NOT_THEIRS = FIXED.keys() | {"client_encoding", "default_transaction_isolation"}
"""The same, and what is stated elsewhere: the encoding at the start of a session, the isolation with each BEGIN."""

ISOLATION = "READ COMMITTED"
ENCODING = "UTF8"

NO_LIMITS = """
    SELECT set_config(name, '0', true)
    FROM unnest(ARRAY[
        'lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout'
    ]) AS name
    WHERE current_setting(name, true) IS NOT NULL
"""
"""Switches every limit off for the rest of a transaction."""

_WORD = re.compile(r"(?:\\.|[^\s\\])+", re.DOTALL)
_SWITCH = re.compile(r"-c\s*(?P<short>[^=]+)=(?P<short_value>.*)|--(?P<long>[^=]+)=(?P<long_value>.*)", re.DOTALL)


class OptionsError(Exception):
    """Options that are no list of settings; the text says what is wrong."""


def session_settings(wait: float, options: str) -> dict[str, str]:
    """Every setting of a session, by its name in lower case.

    `wait` is how many seconds to wait for a lock. `options` are those of the URL or of PGOPTIONS: they replace ours,
    but for the fixed ones, and may hold any other, such as search_path. Raises OptionsError.
    """
    chosen = {name: value for name, value in _read(options) if name not in NOT_THEIRS}
    return {**FIXED, **_limits(wait), **chosen}


def _limits(wait: float) -> dict[str, str]:
    milliseconds = round(wait * 1000)
    return {
        "lock_timeout": f"{milliseconds}ms",
        "statement_timeout": f"{milliseconds * 2}ms",
        # A gateway that hangs in a transaction must not keep its locks.
        "idle_in_transaction_session_timeout": f"{milliseconds * 2}ms",
        # A migration takes as long as it must: each statement has its limit. Older servers than 17 lack the setting.
        "transaction_timeout": "0",
        # As on SQLite, a commit is on the disk before it is answered.
        "synchronous_commit": "on",
    }


def _read(options: str) -> Iterator[tuple[str, str]]:
    """Names and values of `-c name=value`, `-cname=value` and `--name=value`, split and unescaped as by PostgreSQL."""
    words = iter(re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL) for word in _WORD.findall(options))
    for word in words:
        switch = _SWITCH.fullmatch(f"-c{next(words, '')}" if word == "-c" else word)
        if switch is None:
            raise OptionsError("may only hold settings: -c name=value")
        name = switch["short"] or switch["long"]
        yield name.lower().replace("-", "_"), switch["short_value"] or switch["long_value"] or ""
