"""The mark of a field that hashes: without it, its requests hash nothing, whatever way they take."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial

import pytest
import strawberry

from graphql_api.engine.costs import MARK, FieldCosts, field_costs, items
from graphql_api.engine.threads import Threads
from graphql_api.schema import schema
from graphql_api.server.admission import Admission, Admitted
from registration.hashing.passwords import MAY_HASH, HashNotAllowed, Passwords
from registration.storage.database import Database
from tests.graphql_api.installation import CREATE, FORM, installed

SIGN_IN = "mutation ($input: CreateAccessTokenInput!) { createAccessToken(input: $input) { __typename } }"
ADA: Mapping[str, object] = {"email": "ada@example.org", "password": "correct horse"}


@contextmanager
def unmarked(field: str) -> Iterator[None]:
    """Take the mark of a mutation away."""
    mutation = schema._schema.mutation_type
    assert mutation is not None
    resolver = mutation.fields[field].extensions["strawberry-definition"].base_resolver.wrapped_func
    mark = vars(resolver).pop(MARK)
    try:
        yield
    finally:
        setattr(resolver, MARK, mark)


@pytest.mark.parametrize(
    ("field", "document", "given"),
    [("createCustomer", CREATE, FORM), ("createAccessToken", SIGN_IN, ADA)],
    ids=["batch", "thread"],
)
def test_an_operation_without_the_mark_hashes_nothing(
    database: Database, field: str, document: str, given: Mapping[str, object]
) -> None:
    """An operation that hashes and is not marked is answered with a fault; with its mark it is not."""
    with unmarked(field), installed(database) as installation:
        (error,) = installation.post(document, {"input": given}).json()["errors"]
        assert error["extensions"]["code"] == "INTERNAL_ERROR"
    with installed(database) as installation:
        assert "errors" not in installation.post(document, {"input": given}).json()


@strawberry.type
class Shelf:
    books: list[str] = strawberry.field(metadata=items(20))


@strawberry.type
class Box:
    books: list[str] = strawberry.field(metadata=items(3))


@strawberry.type
class Query:
    shelf: Shelf
    box: Box


def test_of_two_lists_with_one_name_the_longer_counts() -> None:
    """The limits know lists by the names of their fields: a short list of another type makes no long one cheap."""
    assert field_costs(strawberry.Schema(Query)._schema) == FieldCosts(items={"books": 20})


class TestARequest:
    def ask(self, work: Callable[[Threads, Passwords], object]) -> object:
        """What work of a request comes to that has no turn of the admission."""
        with (
            closing(Threads(hashing=1, other=1)) as threads,
            closing(Passwords(memory_kib=8, time_cost=1, parallelism=1, slots=1)) as passwords,
        ):
            outside = MAY_HASH.set(False)
            try:
                return work(threads, passwords)
            finally:
                MAY_HASH.reset(outside)

    @pytest.mark.parametrize("pool", [Threads.run, Threads.run_hashing])
    def test_without_a_turn_hashes_on_no_thread(self, pool: Callable[..., object]) -> None:
        """Without a turn a request may neither hash nor verify, on its own thread or on those of a pool."""

        def hash_all_ways(threads: Threads, passwords: Passwords) -> None:
            for way in (partial(passwords.hash, "secret"), partial(passwords.verify, None, "secret")):
                with pytest.raises(HashNotAllowed):
                    way()
                with pytest.raises(HashNotAllowed):
                    asyncio.run(pool(threads, way))  # type: ignore[arg-type]

        self.ask(hash_all_ways)

    @pytest.mark.parametrize("pool", [Threads.run, Threads.run_hashing])
    def test_in_a_turn_hashes(self, pool: Callable[..., object]) -> None:
        """In its turn a request hashes; after it, no longer."""

        def hash_in_turn(threads: Threads, passwords: Passwords) -> object:
            async def hashed() -> object:
                admission = Admission(capacity=1, deadline=1, clock=time.monotonic)
                turn: object = await admission.run(lambda: pool(threads, passwords.hash, "secret"))  # type: ignore[arg-type, return-value]
                with pytest.raises(HashNotAllowed):
                    passwords.hash("secret")
                return turn

            return asyncio.run(hashed())

        turn = self.ask(hash_in_turn)
        assert isinstance(turn, Admitted)
        assert turn.result.startswith("$argon2id$")
