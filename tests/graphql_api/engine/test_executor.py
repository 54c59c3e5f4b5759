"""Every test of the executor runs twice: with compiled operations, and with graphql-core alone."""

import asyncio
import datetime
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from graphql import get_introspection_query

from graphql_api.engine.costs import FieldCosts
from graphql_api.engine.documents import CACHED_CHARACTERS, CACHED_DOCUMENTS, Documents, Operation, Prepared
from graphql_api.engine.executor import Executor
from graphql_api.engine.outcome import Answer, Kind, OperationRequest
from graphql_api.engine.preparation import MAX_WAITING
from tests.graphql_api import sample_schema
from tests.graphql_api.sample_schema import CREATE, SECRET, VALID_INPUT, SampleContext, codes, execute, schema

MakeExecutor = Callable[..., Executor]
Run = Callable[..., Answer]


@pytest.fixture(params=[True, False], ids=["compiled", "graphql-core"])
def make_executor(request: pytest.FixtureRequest) -> MakeExecutor:
    return partial(sample_schema.make_executor, compiled_operations=request.param)


@pytest.fixture
def run(make_executor: MakeExecutor) -> Run:
    def run(*args: Any, executor: Executor | None = None, **options: Any) -> Answer:
        return sample_schema.run(*args, executor=executor or make_executor(), **options)

    return run


def violations(answer: Answer) -> list[tuple[str, str]]:
    assert answer.kind is Kind.REFUSED
    assert codes(answer) == ["BAD_USER_INPUT"]
    assert answer.errors is not None
    assert SECRET not in str(answer)
    return [(".".join(item["path"]), item["code"]) for item in answer.errors[0]["extensions"]["violations"]]


class TestExecutes:
    def test_a_query(self, run: Run) -> None:
        """A query with arguments and variables returns its data."""
        answer = run("query ($name: String!) { hello(name: $name) __typename }", {"name": "Ada"})
        assert answer == Answer(Kind.EXECUTED, {"hello": "Hello Ada", "__typename": "Query"})

    def test_a_mutation_with_every_kind_of_type(self, run: Run) -> None:
        """Input objects, enums, dates, unions and async resolvers work."""
        variables = {"input": {**VALID_INPUT, "born": "1815-12-10"}}
        answer = run(CREATE, variables)
        assert answer.data == {
            "create": {"__typename": "Created", "name": "Ada", "color": "RED", "born": str(datetime.date(1815, 12, 10))}
        }

    def test_an_interface(self, run: Run) -> None:
        """A fragment on an interface selects fields of the members that implement it."""
        answer = run(CREATE, {"input": {**VALID_INPUT, "name": "taken"}})
        assert answer == Answer(Kind.EXECUTED, {"create": {"__typename": "TakenError", "code": "TAKEN"}})

    def test_introspection_where_it_is_on(self, run: Run) -> None:
        """The standard introspection query is answered where introspection is on."""
        answer = run(get_introspection_query())
        assert answer.kind is Kind.EXECUTED
        assert answer.data
        assert not answer.errors

    def test_the_named_one_of_several_operations(self, run: Run) -> None:
        """operationName chooses one of several operations."""
        document = "query A { a: __typename } query B { b: __typename }"
        assert run(document, name="B") == Answer(Kind.EXECUTED, {"b": "Query"})

    def test_a_cached_document_like_a_new_one(self, run: Run, make_executor: MakeExecutor) -> None:
        """A cached document is executed anew with each set of variables."""
        executor = make_executor()
        document = "query ($name: String!) { hello(name: $name) }"
        answers = [run(document, {"name": name}, executor=executor).data for name in ("Ada", "Bob", "Ada")]
        assert answers == [{"hello": f"Hello {name}"} for name in ("Ada", "Bob", "Ada")]


def test_unknown_documents_beyond_those_that_may_wait(make_executor: MakeExecutor) -> None:
    """Of more unknown documents at once than may wait, one is told to come back, and the others are answered."""
    executor = make_executor()

    async def scenario() -> list[Answer]:
        requests = [OperationRequest(f"{{ a{number}: hello }}") for number in range(MAX_WAITING + 1)]
        context = SampleContext()
        return await asyncio.gather(*(execute(executor, request, context) for request in requests))

    kinds = [answer.kind for answer in asyncio.run(scenario())]
    assert kinds == [Kind.EXECUTED] * MAX_WAITING + [Kind.OVERLOADED]


class TestRefusesDocuments:
    @pytest.mark.parametrize(
        ("document", "code"),
        [
            ("", "GRAPHQL_PARSE_FAILED"),
            ("{", "GRAPHQL_PARSE_FAILED"),
            ("{ unknown }", "GRAPHQL_VALIDATION_FAILED"),
            ("fragment F on Query { hello }", "GRAPHQL_VALIDATION_FAILED"),
            ("type A { b: Int }", "GRAPHQL_VALIDATION_FAILED"),
            ("subscription { a }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ ...A } fragment A on Query { ...A }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ hello } { hello }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ " + "hello " * 21 + "}", "LIMIT_EXCEEDED"),
            ("{ " + "hello " * 2000 + "}", "LIMIT_EXCEEDED"),
            ("#\n" * 2000 + "{ hello }", "LIMIT_EXCEEDED"),
            ("{ hello }" + " " * 16 * 1024, "LIMIT_EXCEEDED"),
            ("{ count(upto: " + "[" * 300 + "]" * 300 + ") }", "LIMIT_EXCEEDED"),
            ("query A { hello } query B { hello }", "OPERATION_NAME_REQUIRED"),
        ],
    )
    def test_are_answered_with_a_code(self, run: Run, document: str, code: str) -> None:
        """A wrong document is answered with its code and without data."""
        answer = run(document)
        assert answer.kind is Kind.REFUSED
        assert answer.data is None
        assert set(codes(answer)) == {code}

    def test_without_the_named_operation(self, run: Run) -> None:
        """An unknown operationName is refused, even if the document has only one operation."""
        answer = run("query A { hello }", name="B")
        assert codes(answer) == ["OPERATION_NOT_FOUND"]

    def test_whose_errors_have_no_end(self, run: Run) -> None:
        """A document with many mistakes gets a bounded answer."""
        answer = run("{ itself { " + " ".join(f"{'x' * 1000}{i}" for i in range(60)) + " } }")
        assert answer.errors is not None
        assert len(answer.errors) <= 21
        assert len(str(answer.errors)) < 20_000

    def test_that_introspect_where_it_is_off(self, run: Run, make_executor: MakeExecutor) -> None:
        """Where introspection is off, it is refused before validation shows anything of the schema."""
        executor = make_executor(introspection=False)
        for document in ("{ __schema { unknown } }", '{ x: __type(name: "Query") { name } }'):
            assert codes(run(document, executor=executor)) == ["INTROSPECTION_DISABLED"]
        assert run("{ __typename }", executor=executor).data == {"__typename": "Query"}

    @pytest.mark.parametrize("suggestions", [True, False])
    def test_with_suggestions_only_where_they_are_on(
        self, run: Run, make_executor: MakeExecutor, suggestions: bool
    ) -> None:
        """A mistyped field is answered with a suggestion only where suggestions are on."""
        answer = run("{ helo(nam: 1) }", executor=make_executor(suggestions=suggestions))
        assert ("Did you mean 'hello'" in str(answer.errors)) is suggestions

    def test_that_change_something_where_mutations_are_not_allowed(self, run: Run) -> None:
        """A mutation that is not allowed is refused, and its resolver does not run."""
        context = SampleContext()
        answer = run(CREATE, {"input": VALID_INPUT}, context=context, mutation_allowed=False)
        assert answer.kind is Kind.MUTATION_NOT_ALLOWED
        assert codes(answer) == ["MUTATION_NOT_ALLOWED"]
        assert context.created == []

    def test_that_hash_twice(self, run: Run) -> None:
        """A document with two hashing fields exceeds the limit, under any aliases."""
        document = (
            "mutation ($i: CreateInput!) { a: create(input: $i) { __typename } b: create(input: $i) { __typename } }"
        )
        assert codes(run(document, {"i": VALID_INPUT})) == ["LIMIT_EXCEEDED"]


class TestRefusesVariables:
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"name": None}, [("input.name", "MISSING")]),
            ({"name": 5}, [("input.name", "NOT_A_STRING")]),
            ({"name": [SECRET]}, [("input.name", "NOT_A_STRING")]),
            ({"color": SECRET}, [("input.color", "NOT_A_CHOICE")]),
            ({"color": {"a": SECRET}}, [("input.color", "NOT_A_CHOICE")]),
            ({"agreed": SECRET}, [("input.agreed", "NOT_A_BOOLEAN")]),
            ({"born": SECRET}, [("input.born", "NOT_A_DATE")]),
            ({"born": 5}, [("input.born", "NOT_A_DATE")]),
            ({"age": SECRET}, [("input.age", "WRONG_TYPE")]),
            ({"age": 10**4000}, [("input.age", "WRONG_TYPE")]),
            ({"tags": ["a", None, 5]}, [("input.tags.1", "MISSING"), ("input.tags.2", "NOT_A_STRING")]),
            ({"tags": 5}, [("input.tags", "NOT_A_STRING")]),
            ({"address": SECRET}, [("input.address", "NOT_AN_OBJECT")]),
            ({"address": {}}, [("input.address.city", "MISSING")]),
            ({"contact": {"phone": SECRET, "email": SECRET}}, [("variables", "WRONG_TYPE")]),
            ({"passwort": SECRET}, [("input.passwort", "UNKNOWN_FIELD")]),
            (
                {"name": None, "color": "GREEN", "agreed": 1, "extra": 1},
                [
                    ("input.name", "MISSING"),
                    ("input.color", "NOT_A_CHOICE"),
                    ("input.agreed", "NOT_A_BOOLEAN"),
                    ("input.extra", "UNKNOWN_FIELD"),
                ],
            ),
        ],
    )
    def test_have_path_and_code(self, run: Run, change: dict[str, Any], expected: list[tuple[str, str]]) -> None:
        """Every violation of the variables is answered by path and code, without a value."""
        assert violations(run(CREATE, {"input": {**VALID_INPUT, **change}})) == expected

    def test_that_miss_a_required_field(self, run: Run) -> None:
        """A missing field is answered MISSING, without the rest of the input."""
        given = {name: value for name, value in VALID_INPUT.items() if name != "agreed"}
        assert violations(run(CREATE, {"input": given})) == [("input.agreed", "MISSING")]

    @pytest.mark.parametrize(
        ("variables", "code"),
        [(None, "MISSING"), ({}, "MISSING"), ({"input": None}, "MISSING"), ({"input": SECRET}, "NOT_AN_OBJECT")],
    )
    def test_that_are_not_there_or_no_object(self, run: Run, variables: dict[str, Any] | None, code: str) -> None:
        """A variable that is missing, null or not an object is answered with its own path."""
        assert violations(run(CREATE, variables)) == [("input", code)]

    def test_are_answered_up_to_fifty(self, run: Run) -> None:
        """Of a thousand violations the first fifty are answered."""
        given = {**VALID_INPUT, "tags": [5] * 1000}
        assert len(violations(run(CREATE, {"input": given}))) == 50

    @pytest.mark.parametrize("change", [{"color": "x" * 60_000}, {f"f{number}": 1 for number in range(900)}])
    def test_are_found_without_the_messages_of_graphql_core(self, run: Run, change: dict[str, Any]) -> None:
        """graphql-core would look for similar names of 60,000 characters, and make an error for each of 900 fields."""
        called = set[str]()
        sys.setprofile(lambda frame, event, _: called.add(frame.f_code.co_name) if event == "call" else None)
        try:
            answer = run(CREATE, {"input": {**VALID_INPUT, **change}})
        finally:
            sys.setprofile(None)
        assert violations(answer)
        assert "variable_violations" in called
        assert not called & {"suggestion_list", "validate_input_value"}

    def test_may_lack_those_with_a_default(self, run: Run) -> None:
        """A variable with a default may be absent while another variable is wrong."""
        document = 'query ($name: String! = "you", $upto: Int!) { hello(name: $name) count(upto: $upto) }'
        assert violations(run(document, {"upto": SECRET})) == [("upto", "WRONG_TYPE")]


class TestRefusesLiterals:
    @pytest.mark.parametrize(
        ("document", "expected"),
        [
            ('{ count(upto: "SECRET") }', [("upto", "WRONG_TYPE")]),
            ("{ count(upto: 99999999999) }", [("upto", "WRONG_TYPE")]),
            ("{ count(upto: null) }", [("upto", "MISSING")]),
            ('query ($upto: Int! = "SECRET") { count(upto: $upto) }', [("upto", "WRONG_TYPE")]),
            ('mutation { create(input: "SECRET") { __typename } }', [("input", "NOT_AN_OBJECT")]),
            (
                'mutation { create(input: {password: "SECRET", color: "RED", tags: ["a", 5], address: {}, x: 1})'
                " { __typename } }",
                [
                    ("input.name", "MISSING"),
                    ("input.color", "NOT_A_CHOICE"),
                    ("input.agreed", "MISSING"),
                    ("input.tags.1", "NOT_A_STRING"),
                    ("input.address.city", "MISSING"),
                    ("input.x", "UNKNOWN_FIELD"),
                ],
            ),
            (
                "mutation ($n: String!)"
                ' { create(input: {name: $n, password: "SECRET", color: RED, agreed: 1}) { __typename } }',
                [("input.agreed", "NOT_A_BOOLEAN")],
            ),
        ],
    )
    def test_have_path_and_code(self, run: Run, document: str, expected: list[tuple[str, str]]) -> None:
        """Every violation of a literal is answered by path and code, without the literal."""
        assert violations(run(document.replace("SECRET", SECRET))) == expected

    def test_of_arguments_that_do_not_exist(self, run: Run) -> None:
        """An unknown argument is a validation error that does not quote its value."""
        answer = run(f'{{ hello(nam: "{SECRET}") }}')
        assert codes(answer) == ["GRAPHQL_VALIDATION_FAILED"]
        assert SECRET not in str(answer)


async def known(executor: Executor, document: str) -> None:
    """Have a document prepared; its operation does not run, because its variables are missing."""
    answer = await execute(executor, OperationRequest(document), SampleContext())
    assert answer.kind is Kind.REFUSED


class TestHashes:
    def test_only_when_it_is_their_turn(self, make_executor: MakeExecutor) -> None:
        """Reads run while every slot is taken; a sign-up beyond the deadline is refused unread."""

        async def scenario() -> None:
            executor = make_executor(slots=1, deadline=0.01)
            await known(executor, CREATE)
            context = SampleContext(gate=asyncio.Event())
            create = OperationRequest(CREATE, {"input": VALID_INPUT})
            under_way = [asyncio.create_task(execute(executor, create, context)) for _ in range(3)]
            await context.arrivals(3)
            refused = await execute(executor, create, context)
            assert refused.kind is Kind.OVERLOADED
            assert (refused.data, refused.retry_after, codes(refused)) == (None, 1, ["OVERLOADED"])
            unread = await execute(executor, OperationRequest(CREATE, {"input": 1}), context)
            assert unread == refused  # its variables were not read
            for other in ("{ hello }", "mutation { touch }"):
                answer = await execute(executor, OperationRequest(other), context)
                assert answer.kind is Kind.EXECUTED
            assert context.gate is not None
            context.gate.set()
            await asyncio.gather(*under_way)
            assert len(context.created) == 3

        asyncio.run(scenario())

    def test_not_for_a_client_that_has_gone(self, make_executor: MakeExecutor) -> None:
        """A client that disconnects in the queue is not signed up."""

        async def scenario() -> None:
            executor = make_executor(slots=1)
            await known(executor, CREATE)
            context = SampleContext(gate=asyncio.Event())
            create = OperationRequest(CREATE, {"input": VALID_INPUT})
            under_way = [asyncio.create_task(execute(executor, create, context)) for _ in range(3)]
            await context.arrivals(3)
            gone = asyncio.Event()
            gone.set()
            answer = await execute(executor, create, context, gone=gone.wait)
            assert answer.kind is Kind.OVERLOADED
            assert context.gate is not None
            context.gate.set()
            await asyncio.gather(*under_way)
            assert len(context.created) == 3

        asyncio.run(scenario())

    def test_wrong_input_does_not_wait(self, make_executor: MakeExecutor) -> None:
        """Wrong input is refused without a place in the queue."""

        async def scenario() -> None:
            executor = make_executor(slots=1)
            await known(executor, CREATE)
            context = SampleContext(gate=asyncio.Event())
            create = OperationRequest(CREATE, {"input": VALID_INPUT})
            under_way = [asyncio.create_task(execute(executor, create, context)) for _ in range(3)]
            await context.arrivals(3)
            answer = await execute(executor, OperationRequest(CREATE), context)
            assert answer.kind is Kind.REFUSED
            for task in under_way:
                task.cancel()

        asyncio.run(scenario())


def operations(documents: Documents, text: str) -> Prepared:
    """What is kept of a document, else what it is prepared to, which is then kept if it may be."""
    kept = documents.kept(text)
    if kept is not None:
        return kept
    prepared = documents.prepare(text)
    documents.keep(text, prepared)
    return prepared


class TestDocuments:
    def documents(self) -> Documents:
        return Documents(schema._schema, costs=FieldCosts(frozenset({"create"})), introspection=True, suggestions=True)

    def test_prepares_a_document_once(self) -> None:
        """The second use of a text returns the same operations."""
        documents = self.documents()
        assert operations(documents, "{ hello }") is operations(documents, "{ hello }")

    @pytest.mark.parametrize(
        "text", [f'{{ hello(name: "{SECRET}") }}', "{ hello }" + " " * 8192, '{ hello } # "', "{ unknown }"]
    )
    def test_forgets_what_may_hold_a_password(self, text: str) -> None:
        """Documents with string literals, long documents and wrong ones are not cached."""
        documents = self.documents()
        assert operations(documents, text) is not operations(documents, text)

    @pytest.mark.parametrize("switch", [True, False])
    def test_compiles_operations_where_the_switch_is_on(self, switch: bool) -> None:
        """A cached document holds a compiled operation, unless compiled operations are switched off."""
        documents = Documents(
            schema._schema, costs=FieldCosts(), introspection=True, suggestions=True, compiled_operations=switch
        )
        (operation,) = operations(documents, "{ __typename }")
        assert isinstance(operation, Operation)
        assert (operation.compiled is not None) is switch

    def test_forgets_the_least_recently_used(self) -> None:
        """The cache holds a bounded number of documents, and drops the least recently used."""
        documents = self.documents()
        used, unused = operations(documents, "{ used: hello }"), operations(documents, "{ unused: hello }")
        for number in range(CACHED_DOCUMENTS - 1):
            operations(documents, f"{{ a{number}: hello }}")
            operations(documents, "{ used: hello }")
        assert operations(documents, "{ used: hello }") is used
        assert operations(documents, "{ unused: hello }") is not unused

    def test_keeps_those_used_again_in_a_flood_of_new_ones(self) -> None:
        """A document that was used twice is not displaced by any number of documents that are used once."""
        documents = self.documents()
        known = operations(documents, "{ known: hello }")
        operations(documents, "{ known: hello }")
        for number in range(2 * CACHED_DOCUMENTS):
            operations(documents, f"{{ a{number}: hello }}")
        assert operations(documents, "{ known: hello }") is known

    @pytest.mark.parametrize("uses", [1, 2])
    def test_is_bounded_in_characters(self, uses: int) -> None:
        """The cache holds a bounded number of characters, of documents that are used once and of others."""
        documents = self.documents()
        texts = [f"{{ a{number}: hello }}".ljust(8000) for number in range(CACHED_CHARACTERS // 8000 + 1)]
        first, *_ = [operations(documents, "{ hello }") for _ in range(uses)]
        for text in texts:
            for _ in range(uses):
                operations(documents, text)
        assert operations(documents, "{ hello }") is not first

    def test_keeps_ours_whatever_others_send(self) -> None:
        """Documents of clients do not displace a constant document of ours."""
        documents = self.documents()
        ours = documents.ours("{ hello }")
        for number in range(CACHED_DOCUMENTS + 1):
            operations(documents, f"{{ a{number}: hello }}")
        assert documents.ours("{ hello }") is ours


@pytest.mark.parametrize("suggestions", [True, False])
@pytest.mark.parametrize("name", ["nameİ", "İ" * 40, "ﬃ", "ß", "ŉame", "ǰ", "ΐ", "K", "\ud800"])
def test_input_fields_with_odd_letters_are_refused_like_any_unknown_one(
    make_executor: MakeExecutor, name: str, suggestions: bool
) -> None:
    """Letters whose length changes with case, and half a surrogate pair, are client errors in both modes."""
    executor = make_executor(suggestions=suggestions)
    answer = sample_schema.run(CREATE, {"input": {**VALID_INPUT, name: "x"}}, executor=executor)
    assert codes(answer) == ["BAD_USER_INPUT"]
    assert answer.errors
    assert answer.errors[0]["extensions"]["violations"] == [{"path": ["input", name], "code": "UNKNOWN_FIELD"}]


@pytest.mark.parametrize("suggestions", [True, False])
@pytest.mark.parametrize("value", ["REDİ", "İ" * 40, "ß", "ﬃ"])
def test_choices_with_odd_letters_are_refused_like_any_unknown_one(
    make_executor: MakeExecutor, value: str, suggestions: bool
) -> None:
    """A choice with a letter whose length changes with case is a client error, as a variable and as a literal."""
    executor = make_executor(suggestions=suggestions)
    answer = sample_schema.run(CREATE, {"input": {**VALID_INPUT, "color": value}}, executor=executor)
    assert violations(answer) == [("input.color", "NOT_A_CHOICE")]
    literal = (
        f'mutation {{ create(input: {{name: "a", password: "b", agreed: true, color: "{value}"}}) {{ __typename }} }}'
    )
    assert violations(sample_schema.run(literal, executor=executor)) == [("input.color", "NOT_A_CHOICE")]
