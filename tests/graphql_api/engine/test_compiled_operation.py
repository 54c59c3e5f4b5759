"""A compiled operation answers exactly as graphql-core answers the same operation."""

import asyncio
import enum
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import pytest
import strawberry
from graphql import GraphQLSchema, OperationDefinitionNode, parse
from hypothesis import example, given
from hypothesis import strategies as st
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission

from graphql_api.engine.compiled_operation import CompiledOperation, compile_operation
from graphql_api.engine.outcome import Answer, Kind, OperationRequest
from graphql_api.schema import schema as published
from registration.storage.database import Unavailable
from rest_compat.customers import ANONYMIZE_CUSTOMER, CREATE_CUSTOMER, UPDATE_CUSTOMER
from tests.graphql_api.sample_schema import SampleContext, execute, make_executor


@strawberry.enum
class Flavour(enum.Enum):
    SWEET = "sweet"
    SOUR = "sour"


@strawberry.interface
class Food:
    name: str


@strawberry.type
class Fruit(Food):
    flavours: list[Flavour]
    ripe_since: str | None


@strawberry.type
class Cheese(Food):
    age: int
    rind: "Cheese | None" = None

    @strawberry.field
    def smell(self) -> str:
        return "strong" if self.age > 2 else "faint"


@strawberry.input
class Topping:
    name: str
    amount: int | None = strawberry.UNSET


@strawberry.input
class Order:
    dish_name: str
    flavour: Flavour
    with_cheese: bool
    toppings: list[Topping] | None = strawberry.UNSET
    note: str | None = strawberry.UNSET


@strawberry.input
class Box:
    inner: "Box | None" = strawberry.UNSET


Dish = Annotated[Fruit | Cheese, strawberry.union("Dish")]
BASKET: dict[str, Any] = {
    "fruit": Fruit(name="apple", flavours=[Flavour.SWEET, Flavour.SOUR], ripe_since=None),
    "cheese": Cheese(name="brie", age=3, rind=Cheese(name="white", age=3)),
    "of the wrong type": "a stone",
    "with a wrong flavour": Fruit(name="pear", flavours=["bland"], ripe_since="May"),  # type: ignore[list-item]
    "without a name": Fruit(name=None, flavours=[], ripe_since="May"),  # type: ignore[arg-type]
    "with a wrong age inside": Cheese(name="brie", age=3, rind=Cheese(name="white", age="old")),  # type: ignore[arg-type]
    "with a set of flavours": Fruit(name="fig", flavours={Flavour.SWEET}, ripe_since=""),  # type: ignore[arg-type]
    "nothing": None,
    "an exception": ValueError("a worm"),
}


class Sealed(BasePermission):
    message = "sealed"

    def has_permission(self, *_: Any, **__: Any) -> bool:
        return False


class Loud(FieldExtension):
    def resolve(self, next_: Any, source: Any, info: Any, **given: Any) -> Any:
        return str(next_(source, info, **given)).upper()


@strawberry.type
class Query:
    @strawberry.field
    def dish(self, which: str) -> Dish | None:
        return BASKET[which]  # type: ignore[no-any-return]

    @strawberry.field
    async def food(self, info: strawberry.Info[SampleContext, None], which: str = "fruit") -> Food:
        assert isinstance(info.context, SampleContext)
        return BASKET[which]  # type: ignore[no-any-return]

    @strawberry.field
    def foods(self) -> list[Food]:
        return [BASKET["fruit"], BASKET["cheese"]]

    @strawberry.field
    def repeat(self, order: Order, times: int | None = strawberry.UNSET) -> str:
        return f"{times!r} {sorted(asdict(order).items())!r}"

    @strawberry.field
    def is_nested(self, box: Box) -> bool:
        return bool(box.inner)

    @strawberry.field
    async def gathered(self, info: strawberry.Info[SampleContext, None]) -> list[int]:
        helpers = info._raw_info.async_helpers
        helpers.track([])
        return await helpers.gather([asyncio.sleep(0, 1), asyncio.sleep(0, 2)])

    @strawberry.field
    async def outage(self) -> str:
        raise Unavailable("no connection")

    @strawberry.field(permission_classes=[Sealed])  # type: ignore[untyped-decorator]
    def sealed(self) -> str | None:
        return "open"

    @strawberry.field(extensions=[Loud()])  # type: ignore[untyped-decorator]
    def whisper(self) -> str:
        return "psst"


schema = strawberry.Schema(Query, types=[Fruit, Cheese])

WHOLE = (
    "query ($which: String!) { __typename dish(which: $which) { ... on Food { name } __typename"
    " ... on Fruit { flavours ripeSince } ... on Cheese { age rind { name age } } } }"
)
DISHES = [
    WHOLE,
    "query ($which: String!) { d: dish(which: $which) { ...F ... on Cheese { ...C } } kind: __typename }"
    " fragment F on Fruit { title: name ripeSince flavours } fragment C on Cheese { age, rind { age } rind { name } }",
    "query ($which: String!) { dish(which: $which) { ... { __typename } ... on Food { name } } }",
]
ORDERS = [
    "query ($order: Order!, $times: Int) { repeat(order: $order, times: $times) }",
    "query ($order: Order!) { repeat(order: $order) }",
    "query ($order: Order!, $times: Int, $unused: [Order!]) { repeat(order: $order, times: $times) }",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**33), 2**33) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "amount", "x"]), inner),
    max_leaves=4,
)


def run(
    document: str,
    variables: Mapping[str, Any] | None = None,
    *,
    of: GraphQLSchema = schema._schema,
    compiled_operations: bool = True,
) -> Answer:
    executor = make_executor(of=of, compiled_operations=compiled_operations)
    return asyncio.run(execute(executor, OperationRequest(document, variables), SampleContext()))


def both_ways(document: str, variables: Mapping[str, Any] | None = None) -> Answer:
    """The answer of the compiled operation, after a comparison with that of graphql-core."""
    expected = run(document, variables, compiled_operations=False)
    answer = run(document, variables)
    assert answer == expected
    assert list(answer.data or ()) == list(expected.data or ())
    return answer


def compiled(document: str, of: GraphQLSchema = schema._schema) -> CompiledOperation | None:
    parsed = parse(document)
    operation = next(node for node in parsed.definitions if isinstance(node, OperationDefinitionNode))
    return compile_operation(of, parsed, operation)


class TestCompiled:
    @pytest.mark.parametrize("document", [*DISHES, *ORDERS, "{ __typename }", "{ foods { name } }"])
    def test_usual_operations_are_compiled(self, document: str) -> None:
        """The documents of the tests below are compiled: else those tests would compare graphql-core with itself."""
        assert compiled(document)

    @pytest.mark.parametrize("document", [CREATE_CUSTOMER, UPDATE_CUSTOMER, ANONYMIZE_CUSTOMER, "{ me { email } }"])
    def test_operations_of_the_rest_door_are_compiled(self, document: str) -> None:
        """The documents of the REST door and a query of the own profile are compiled against the published schema."""
        assert compiled(document, published._schema)

    @pytest.mark.parametrize("which", BASKET)
    @pytest.mark.parametrize("document", DISHES)
    def test_answers_as_graphql_core_for_every_resolved_value(self, document: str, which: str) -> None:
        """Fragments, aliases, unions, interfaces, lists, enums and nulls are answered as graphql-core answers them."""
        answer = both_ways(document, {"which": which})
        assert answer.kind is Kind.EXECUTED
        if document == WHOLE:
            assert bool(answer.errors) is (which not in {"fruit", "cheese", "nothing", "with a set of flavours"})

    def test_answers_as_graphql_core_when_the_resolver_raises(self) -> None:
        """An outage that a resolver raises is answered UNAVAILABLE; any other exception is masked."""
        assert both_ways("{ outage }").kind is Kind.UNAVAILABLE
        answer = both_ways("query ($which: String!) { dish(which: $which) { __typename } }", {"which": "no such dish"})
        assert answer.data == {"dish": None}

    def test_calls_the_resolver_once(self) -> None:
        """graphql-core does not call a resolver again that has raised: it could register a second customer."""
        calls: list[None] = []

        def count() -> int:
            calls.append(None)
            raise RuntimeError("the cable is unplugged")

        once = strawberry.Schema(strawberry.type(type("Query", (), {"count": strawberry.field(resolver=count)})))
        assert run("{ count }", of=once._schema).errors
        assert len(calls) == 1

    @pytest.mark.parametrize(("times", "read"), [({}, "UNSET"), ({"times": None}, "None"), ({"times": 2}, "2")])
    def test_tells_an_absent_variable_from_null(self, times: dict[str, object], read: str) -> None:
        """A variable that was not sent is not passed to the resolver; null is passed as None."""
        order = {"dishName": "soup", "flavour": "SOUR", "withCheese": False}
        answer = both_ways(ORDERS[0], {"order": order, **times})
        assert answer.data
        assert answer.data["repeat"].startswith(f"{read} [('dish_name', 'soup')")

    @example(ORDERS[1], {"order": {"dishName": "soup", "flavour": "SOUR", "withCheese": False, "extra": None}})
    @given(
        document=st.sampled_from(ORDERS),
        variables=st.fixed_dictionaries(
            {},
            optional={
                "order": st.fixed_dictionaries(
                    {},
                    optional={
                        "dishName": st.text(max_size=3) | JSON,
                        "flavour": st.sampled_from(["SWEET", "SOUR"]) | JSON,
                        "withCheese": st.booleans() | JSON,
                        "toppings": st.lists(st.fixed_dictionaries({"name": st.text(max_size=3)}) | JSON) | JSON,
                        "note": JSON,
                        "extra": JSON,
                    },
                )
                | st.fixed_dictionaries(
                    {"dishName": st.text(max_size=3), "flavour": st.just("SWEET"), "withCheese": st.booleans()},
                    optional={"toppings": st.lists(st.fixed_dictionaries({"name": st.text(), "amount": JSON}))},
                )
                | JSON,
                "times": st.integers(-5, 5) | JSON,
                "unused": JSON,
            },
        ),
    )
    def test_reads_variables_as_graphql_core(self, document: str, variables: dict[str, Any]) -> None:
        """For any variables the same values reach the resolver, or the same violations reach the client."""
        both_ways(document, variables)

    def test_offers_the_helpers_of_graphql_core(self) -> None:
        """A resolver can await several values through graphql-core's helpers, and hand it work to track."""
        assert both_ways("{ gathered }").data == {"gathered": [1, 2]}


class TestNotCompiled:
    @pytest.mark.parametrize(
        "document",
        [
            "{ foods { name } again: foods { name } }",
            "{ foods { name @include(if: true) } }",
            "query @skip(if: true) { foods { name } }",
            "{ ... @include(if: true) { foods { name } } }",
            "query ($which: String! = \"fruit\") { dish(which: $which) { __typename } }",
            "{ dish(which: \"fruit\") { __typename } }",
            "{ food { name } }",
            "query ($which: String!) { food(which: $which) { name } }",
            "{ __schema { types { name } } }",
            "query ($box: Box!) { isNested(box: $box) }",
            "{ sealed }",
            "{ whisper }",
            "query ($which: String!) { dish(which: $which) { ... on Cheese { smell } } }",
        ],
    )  # fmt: skip
    def test_rarer_features_are_left_to_graphql_core(self, document: str) -> None:
        """Several resolved fields, directives, defaults, literals, introspection, permissions: nothing is compiled."""
        assert compiled(document) is None

    def test_is_answered_by_graphql_core(self) -> None:
        """Recursive input, permissions, extensions, resolvers below the root and a second root field take effect."""
        assert both_ways("query ($box: Box!) { isNested(box: $box) }", {"box": {"inner": {}}}).data == {
            "isNested": True
        }
        assert both_ways("{ sealed }").data == {"sealed": None}
        assert both_ways("{ whisper }").data == {"whisper": "PSST"}
        smelt = both_ways(
            "query ($which: String!) { dish(which: $which) { ... on Cheese { smell } } }", {"which": "cheese"}
        )
        assert smelt.data == {"dish": {"smell": "strong"}}
        assert both_ways("{ foods { name } again: foods { name } }").data == {
            name: [{"name": "apple"}, {"name": "brie"}] for name in ("foods", "again")
        }
