"""Field merging (GraphQL, 5.3.2) with a bound on its work, which grows with the square of fields of one name."""

from typing import Any

from graphql import OverlappingFieldsCanBeMergedRule, SelectionSetNode
from graphql.validation.validate import ValidationAbortedError

MAX_COMPARISONS = 4000
"""As graphql-core counts them: two for a pair of fields, one for a pair of fragments. Its own bound is 500,000.

Thirty `... on UserError { code message }` need 1,740; twenty fragments with three fields each in one selection 2,130.
"""


class TooManyComparisonsError(ValidationAbortedError):
    """Validation stopped at MAX_COMPARISONS."""


class BoundedOverlaps(OverlappingFieldsCanBeMergedRule):
    """graphql-core's rule with MAX_COMPARISONS for its budget."""

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = MAX_COMPARISONS

    def enter_selection_set(self, selection_set: SelectionSetNode, _key: Any, parent: Any, *_: Any) -> None:
        try:
            super().enter_selection_set(selection_set, _key, parent)
        except ValidationAbortedError:
            if self.rule_context.remaining_complexity_budget >= 0:  # too many errors
                raise
            raise TooManyComparisonsError("Too many fields to compare.") from None
