"""How a statement lies on an engine of several nodes, read from SQLAlchemy's tree of it.

Such an engine refuses a lock on rows that are not named by one value of the distribution column, and joins of tables
that lie apart. A statement that names no value goes to every shard.
"""

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

from sqlalchemy import Alias, BindParameter, Column, Delete, Insert, Join, Select, Table, TextClause, Update
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ClauseElement, Grouping
from sqlalchemy.sql.visitors import iterate

from registration.storage.tables import metadata
from registration.storage.tables.distribution import distribution_column, group_of

DISTRIBUTED = {table.name for table in metadata.tables.values() if distribution_column(table) is not None}
IN_PLAIN_SQL = re.compile(rf"\b(FROM|JOIN|UPDATE|INTO)\s+\"?({'|'.join(sorted(DISTRIBUTED))})\b", re.IGNORECASE)


class Trouble(Enum):
    """What an engine of several nodes does with a statement that one of one node takes."""

    EVERY_SHARD = "goes to every shard"
    LOCKS = "is refused: its lock names no single value"
    APART = "is refused: its tables lie apart"
    UNREADABLE = "cannot be told: plain SQL about a distributed table"


def troubles(statement: Any) -> set[Trouble]:
    """What is wrong with a statement; empty for one that names its shards."""
    if isinstance(statement, str | TextClause):
        return {Trouble.UNREADABLE} if IN_PLAIN_SQL.search(str(statement)) else set()
    tables = set(_tables(statement))
    found = {Trouble.APART} if len({group_of(metadata.tables[_name(table)]) for table in tables}) > 1 else set()
    if isinstance(statement, Insert):  # a distribution column is not null, so each row names its shard
        return found
    outer = list(_conditions(statement)) if isinstance(statement, Select | Update | Delete) else []
    for part in _parts(statement):
        conditions = [*outer, *_conditions(part)]
        one, several = _named(conditions)
        own = {table.name for table in _own_tables(part)}
        if isinstance(part, Select) and part._for_update_arg is not None and not own <= one:
            found.add(Trouble.LOCKS)
        elif not own <= one | several:
            found.add(Trouble.EVERY_SHARD)
    return found


def _parts(statement: ClauseElement) -> Iterator[Select[Any] | Update | Delete]:
    """The statement and those inside it."""
    for element in iterate(statement):
        if isinstance(element, Select | Update | Delete):
            yield element


def _tables(statement: ClauseElement) -> Iterator[Table | Alias]:
    for element in iterate(statement):
        table = element.table if isinstance(element, Column | Update | Delete | Insert) else element
        if isinstance(table, Table | Alias) and _name(table) in DISTRIBUTED:
            yield table


def _own_tables(part: Select[Any] | Update | Delete) -> Iterator[Table | Alias]:
    """Without those of statements inside, but for the tables that they share."""
    sources: list[Any] = list(part.get_final_froms()) if isinstance(part, Select) else [part.table]
    while sources:
        source = sources.pop()
        if isinstance(source, Join):
            sources += [source.left, source.right]
        elif isinstance(source, Table | Alias) and _name(source) in DISTRIBUTED:
            yield source


def _name(table: Table | Alias) -> str:
    """The name that the table has in the database."""
    return str(table.element.name if isinstance(table, Alias) else table.name)  # type: ignore[attr-defined]


def _conditions(part: Select[Any] | Update | Delete) -> Iterator[ClauseElement]:
    """What must hold of each row, all together."""
    if part.whereclause is not None:
        yield from _all_of(part.whereclause)
    for source in part.get_final_froms() if isinstance(part, Select) else ():
        for element in iterate(source):
            if isinstance(element, Join):
                yield from _all_of(element.onclause)


def _all_of(clause: Any) -> Iterator[ClauseElement]:
    if isinstance(clause, BooleanClauseList) and clause.operator is operators.and_:
        for each in clause.clauses:
            yield from _all_of(each)
    elif isinstance(clause, Grouping):
        yield from _all_of(clause.element)
    elif clause is not None:
        yield clause


def _named(conditions: Iterable[ClauseElement]) -> tuple[set[str], set[str]]:
    """The tables of which one value of the distribution column is named, and those of which several are."""
    one: set[str] = set()
    several: set[str] = set()
    links = []
    for condition in conditions:
        if not isinstance(condition, BinaryExpression):
            continue
        left, right = _table_cut_by(condition.left), _table_cut_by(condition.right)
        if condition.operator is operators.eq and left and right:
            links.append({left, right})
        elif condition.operator is operators.eq and (name := left or right):
            other = condition.right if left else condition.left
            one |= {name} if isinstance(other, BindParameter) else set()
        elif condition.operator is operators.in_op and left and next(_parts(condition.right), None) is None:
            several.add(left)
    for named in (one, several):
        for _ in links:
            named |= {name for link in links if link & named for name in link}
    return one, several


def _table_cut_by(column: Any) -> str | None:
    """The name of the table whose distribution column this is; None for anything else."""
    if not isinstance(column, Column) or not isinstance(column.table, Table | Alias):
        return None
    name = _name(column.table)
    cut_by = distribution_column(metadata.tables[name]) if name in DISTRIBUTED else None
    return column.table.name if cut_by is not None and column.name == cut_by.name else None
