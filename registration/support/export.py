"""Everything about a person, for an operator whom the person has asked."""

from sqlalchemy import Connection

from registration.account.data_export import Rows, rows_about
from registration.records.audit import AuditKind
from registration.services import Services
from registration.support.operator import Operator
from registration.support.search import by_reference


def export(services: Services, operator: Operator, reference: str) -> Rows | None:
    """The customer's rows by table; None without such a customer."""

    def work(connection: Connection) -> Rows | None:
        row = by_reference(connection, reference)
        if row is None:
            return None
        operator.record(connection, services, AuditKind.OPERATOR_EXPORT, row.id)
        return rows_about(connection, row.id)

    return services.database.write(work)
