import sys

import pytest
from graphql import get_introspection_query, parse

from graphql_api.engine.costs import FieldCosts
from graphql_api.engine.limits import Exceeded, Limits, Size, measure

COSTS = FieldCosts(
    hashing=frozenset({"createCustomer"}), items={"sessions": 20, "fields": 10, "choices": 2, "languages": 12}
)


def size_of(document: str, limits: Limits | None = None) -> Size | Exceeded:
    sizes = measure(parse(document), limits or Limits(), COSTS)
    return sizes if isinstance(sizes, Exceeded) else sizes[0][1]


def doubling_chain(links: int) -> str:
    fragments = [f"fragment F{i} on Query {{ ...F{i + 1} ...F{i + 1} }}" for i in range(links)]
    return "{ ...F0 } " + " ".join(fragments) + f" fragment F{links} on Query {{ __typename }}"


class TestCost:
    def test_counts_what_an_operation_asks_for(self) -> None:
        """Depth counts nested selection sets; every other count adds up."""
        document = "query ($a: Int @d) @d { x: me @d { y: name id } other }"
        assert size_of(document) == Size(
            depth=2, fields=4, root_fields=2, aliases=2, directives=3, directives_at_one_place=1, values=4
        )

    def test_fragments_count_as_often_as_they_are_spread(self) -> None:
        """A fragment counts what it holds each time it is spread, directives included."""
        document = "{ ...F ...F ... on Query @d { a } } fragment F on Query @d { b { c } }"
        assert size_of(document) == Size(
            depth=3, fields=5, root_fields=3, directives=3, directives_at_one_place=1, values=5
        )

    def test_a_field_below_lists_counts_for_each_item(self) -> None:
        """What lists hold counts as often as they have items, lists of scalars too; introspection does not count."""
        document = "{ registrationPolicy { fields { name choices { ...F } } languages } __schema { x } } "
        size = size_of(document + "fragment F on Choice { value label }")
        assert isinstance(size, Size)
        assert size.values == 1 + 10 * (1 + 1 + 2 * (1 + 2)) + 12

    def test_introspection_is_seen_through_fragments(self) -> None:
        """__schema and __type count inside fragments, and __typename does not count."""
        document = "{ ... { ...F } __typename } fragment F on Query { __schema { x } t: __type { x } }"
        size = size_of(document)
        assert isinstance(size, Size)
        assert size.introspection_fields == 2

    def test_graphiql_may_introspect(self) -> None:
        """The longest form of the standard introspection query stays within every limit."""
        query = get_introspection_query(
            specified_by_url=True,
            directive_is_repeatable=True,
            schema_description=True,
            input_value_deprecation=True,
            one_of=True,
            experimental_directive_deprecation=True,
        )
        parse(query, max_lexical_tokens=Limits().tokens)
        assert isinstance(size_of(query), Size)


class TestLimits:
    @pytest.mark.parametrize(
        ("document", "limit"),
        [
            ("{ a " * 25 + "{ b }" + " }" * 25, "depth"),
            ("{ m { " + "a " * 300 + "} }", "fields"),
            ("{ " + "a " * 21 + "}", "root_fields"),
            ("{ m { " + " ".join(f"a{i}: a" for i in range(31)) + "} }", "aliases"),
            ("{ m { " + "a @d " * 51 + "} }", "directives"),
            ("{ a " + "@d " * 6 + "}", "directives_at_one_place"),
            ("query Q " + "@d " * 6 + "{ a }", "directives_at_one_place"),
            ("query ($v: Int " + "@d " * 6 + ") { a }", "directives_at_one_place"),
            ("{ ...F " + "@d " * 6 + "} fragment F on Query { a }", "directives_at_one_place"),
            ("{ ... " + "@d " * 6 + "{ a } }", "directives_at_one_place"),
            ("{ ...F } fragment F on Query " + "@d " * 6 + "{ a }", "directives_at_one_place"),
            (" ".join(f"query Q{i} {{ a }}" for i in range(11)), "operations"),
            ("mutation { createCustomer createCustomer }", "hashing_fields"),
            ("{ sessions { " + " ".join(f"a{i}: id" for i in range(20)) + "} }", "values"),
            (
                "{ " + " ".join(f"a{i}: registrationPolicy {{ ...F }}" for i in range(20)) + "} "
                "fragment F on RegistrationPolicy { fields { name choices { value label } } }",
                "values",
            ),
            ("mutation { a: createCustomer ...F } fragment F on Mutation { b: createCustomer }", "hashing_fields"),
            ("{ a } fragment Unused on Query { " + "a " * 301 + "}", "fields"),
        ],
    )
    def test_refuses_a_document_that_asks_for_too_much(self, document: str, limit: str) -> None:
        """Each limit holds by itself, through fragments and in fragments that are not spread."""
        exceeded = size_of(document)
        assert exceeded == Exceeded(limit, getattr(Limits(), limit))

    def test_refuses_two_hundred_aliased_sign_ups(self) -> None:
        """Two hundred aliased sign-ups in one document are refused."""
        document = "mutation { " + " ".join(f"a{i}: createCustomer" for i in range(200)) + " }"
        assert isinstance(size_of(document), Exceeded)

    def test_takes_one_sign_up(self) -> None:
        """A document with one hashing field is accepted, and its size says so."""
        size = size_of("mutation { ...F } fragment F on Mutation { a: createCustomer }")
        assert isinstance(size, Size)
        assert size.hashing_fields == 1

    def test_takes_a_fragment_of_many_fields(self) -> None:
        """A fragment below the root may have more fields than the root may have."""
        assert isinstance(size_of("{ me { ...F } } fragment F on Customer { " + "a " * 100 + "}"), Size)

    def test_measures_a_doubling_chain_link_by_link(self) -> None:
        """A chain that expands to 2^100 fields is measured exactly, in as many steps as it has links."""
        limits = Limits(depth=110, fields=2**100, root_fields=2**100, values=2**100)
        size = size_of(doubling_chain(100), limits)
        assert isinstance(size, Size)
        assert size.fields == 2**100

    def test_refuses_a_doubling_chain(self) -> None:
        """A document of 800 bytes that expands to a million fields is refused."""
        assert isinstance(size_of(doubling_chain(20)), Exceeded)

    def test_refuses_a_chain_longer_than_the_stack(self) -> None:
        """A chain of fragments longer than the stack is refused without a RecursionError."""
        assert size_of(doubling_chain(2 * sys.getrecursionlimit())) == Exceeded("depth", 25)

    @pytest.mark.parametrize(
        "document",
        [
            "{ ...A } fragment A on Query { a ...B } fragment B on Query { b ...A }",
            "{ ...A } fragment A on Query { ...A }",
            "{ ...Unknown }",
        ],
    )
    def test_leaves_cycles_and_unknown_fragments_to_validation(self, document: str) -> None:
        """A fragment that spreads itself or an unknown one neither loops nor counts."""
        assert isinstance(size_of(document), Size)
