"""The short cut and the whole way through graphql-core lead to the same answers."""

import asyncio
import enum
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import pytest
import strawberry
from graphql import GraphQLSchema, OperationDefinitionNode, parse
from hypothesis import given
from hypothesis import strategies as st
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission

from graphql_api.engine.compiled_operation import Plan, plan
from graphql_api.engine.executor import Answer, Kind, OperationRequest
from graphql_api.schema import schema as published
from registration.storage.database import Unavailable
from rest_compat.customers import ANONYMIZE_CUSTOMER, CREATE_CUSTOMER, UPDATE_CUSTOMER
from tests.graphql_api.sample_schema import SampleContext, make_executor


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
        assert info.context.correlation_id
        return BASKET[which]  # type: ignore[no-any-return]

    @strawberry.field
    def foods(self) -> list[Food]:
        return [BASKET["fruit"], BASKET["cheese"]]

    @strawberry.field
    def repeat(self, order: Order, times: int | None = strawberry.UNSET) -> str:
        return f"{times!r} {sorted(asdict(order).items())!r}"

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


def run(document: str, variables: Mapping[str, Any] | None = None, of: GraphQLSchema = schema._schema) -> Answer:
    executor = make_executor(of=of)
    return asyncio.run(executor.execute(OperationRequest(document, variables), SampleContext(), mutation_allowed=True))


def the_long_way(document: str, variables: Mapping[str, Any] | None = None) -> Answer:
    """With a string literal in it a document is not kept, and has no plan."""
    head, brace, tail = document.partition("{")
    return run(f'{head}{brace} kept: __type(name: "no such type") {{ name }} {tail}', variables)


def agreed(document: str, variables: Mapping[str, Any] | None = None) -> Answer:
    """The answer of the short cut, after a look at that of the long way."""
    long, short = the_long_way(document, variables), run(document, variables)
    if long.data is not None:
        del long.data["kept"]
    for error in (*(long.errors or ()), *(short.errors or ())):
        error.pop("locations", None)  # they are one line apart
    assert short == long
    assert list(short.data or ()) == list(long.data or ())
    return short


def plan_of(document: str, of: GraphQLSchema = schema._schema) -> Plan | None:
    parsed = parse(document)
    operation = next(node for node in parsed.definitions if isinstance(node, OperationDefinitionNode))
    return plan(of, parsed, operation)


class TestPlanned:
    @pytest.mark.parametrize("document", [*DISHES, *ORDERS, "{ __typename }", "{ foods { name } }"])
    def test_has_a_plan(self, document: str) -> None:
        """Else the tests below compare the long way with itself."""
        assert plan_of(document)

    @pytest.mark.parametrize("document", [CREATE_CUSTOMER, UPDATE_CUSTOMER, ANONYMIZE_CUSTOMER, "{ me { email } }"])
    def test_documents_of_every_day_have_one(self, document: str) -> None:
        """Those of the shim among them."""
        assert plan_of(document, published._schema)

    @pytest.mark.parametrize("which", BASKET)
    @pytest.mark.parametrize("document", DISHES)
    def test_answers_alike_whatever_is_resolved(self, document: str, which: str) -> None:
        """Fragments, aliases, unions, interfaces, lists and enums; nulls where they may be and where they may not."""
        answer = agreed(document, {"which": which})
        assert answer.kind is Kind.EXECUTED
        if document == WHOLE:
            assert bool(answer.errors) is (which not in {"fruit", "cheese", "nothing", "with a set of flavours"})

    def test_answers_alike_what_is_raised(self) -> None:
        """An outage keeps its kind; a mistake of ours is masked."""
        assert agreed("{ outage }").kind is Kind.UNAVAILABLE
        answer = agreed("query ($which: String!) { dish(which: $which) { __typename } }", {"which": "no such dish"})
        assert answer.data == {"dish": None}

    def test_calls_the_resolver_once(self) -> None:
        """Also when graphql-core has to look at what it raised: a second call would register a second customer."""
        calls: list[None] = []

        def count() -> int:
            calls.append(None)
            raise RuntimeError("the cable is unplugged")

        once = strawberry.Schema(strawberry.type(type("Query", (), {"count": strawberry.field(resolver=count)})))
        assert run("{ count }", of=once._schema).errors
        assert len(calls) == 1

    @pytest.mark.parametrize(("times", "read"), [({}, "UNSET"), ({"times": None}, "None"), ({"times": 2}, "2")])
    def test_tells_what_is_left_out_from_null(self, times: dict[str, object], read: str) -> None:
        """A variable that is not given is no argument."""
        order = {"dishName": "soup", "flavour": "SOUR", "withCheese": False}
        answer = agreed(ORDERS[0], {"order": order, **times})
        assert answer.data
        assert answer.data["repeat"].startswith(f"{read} [('dish_name', 'soup')")

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
    def test_reads_alike_whatever_is_sent(self, document: str, variables: dict[str, Any]) -> None:
        """The same values reach the resolver, or the same violations the client."""
        agreed(document, variables)


class TestUnplanned:
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
            "{ sealed }",
            "{ whisper }",
            "query ($which: String!) { dish(which: $which) { ... on Cheese { smell } } }",
        ],
    )  # fmt: skip
    def test_has_none(self, document: str) -> None:
        """Rarer features are graphql-core's."""
        assert plan_of(document) is None

    def test_is_answered_all_the_same(self) -> None:
        """Permissions and extensions of fields are not passed by."""
        assert run("{ sealed }").data == {"sealed": None}
        assert run("{ whisper }").data == {"whisper": "PSST"}
        smelt = run("query ($which: String!) { dish(which: $which) { ... on Cheese { smell } } }", {"which": "cheese"})
        assert smelt.data == {"dish": {"smell": "strong"}}
        assert run("{ foods { name } again: foods { name } }").data == {
            name: [{"name": "apple"}, {"name": "brie"}] for name in ("foods", "again")
        }
