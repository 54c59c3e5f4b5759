"""GraphQL documents that the schema suggests, and some that it does not."""

from collections.abc import Iterator
from random import Random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
)

from fuzz import texts

DEPTH = 4
ODD = 0.1
"""Share of the choices that leave the schema."""


def operation(random: Random, schema: GraphQLSchema) -> dict[str, Any]:
    """The parameters of a request: query, variables, and sometimes more."""
    is_query = random.random() < 0.3
    root = schema.query_type if is_query else schema.mutation_type
    assert root
    selected, variables, declared = [], {}, []
    for number in range(random.choice((1, 1, 1, 2, 3))):
        name = random.choice([*root.fields, "__typename", "__schema"])
        field = root.fields.get(name)
        given = ""
        for argument, kind in (field.args if field else {}).items():
            variable = f"v{number}"
            declared.append(f"${variable}: {kind.type}")
            variables[variable] = value(random, kind.type)
            given = f"({argument}: ${variable})"
        selection = selection_of(random, schema, field.type, DEPTH) if field else ""
        selected.append(
            f"a{number}: {name}{given}{directive(random)}{selection or ('' if field else odd_selection(random, name))}"
        )
    head = f"({', '.join(declared)})" if declared else ""
    query = f"{'query' if is_query else 'mutation'} Q{head} {{ {' '.join(selected)} }}"
    sent: dict[str, Any] = {"query": changed(random, query) if random.random() < ODD else query, "variables": variables}
    if random.random() < ODD:
        sent[random.choice(("operationName", "extensions", "variables", "query", "id"))] = texts.value(random)
    return sent


def odd_selection(random: Random, name: str) -> str:
    return " { types { name fields { name } } }" if name == "__schema" else random.choice(("", " { x }"))


def directive(random: Random) -> str:
    if random.random() > ODD:
        return ""
    return " " + random.choice(
        ("@skip(if: false)", "@include(if: true)", "@aa" * random.randrange(1, 40), "@skip", "@defer")
    )


def selection_of(random: Random, schema: GraphQLSchema, kind: Any, depth: int) -> str:
    """A selection set for a type, or nothing for a leaf."""
    named = get_named_type(kind)
    if isinstance(named, GraphQLUnionType):
        branches = [f"... on {each.name}{selection_of(random, schema, each, depth - 1)}" for each in named.types]
        return f" {{ __typename {' '.join(random.sample(branches, random.randrange(len(branches) + 1)))} }}"
    if not isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
        return ""
    return f" {{ __typename {' '.join(_fields(random, schema, named, depth))} }}"


def _fields(
    random: Random, schema: GraphQLSchema, kind: GraphQLObjectType | GraphQLInterfaceType, depth: int
) -> Iterator[str]:
    for name, field in kind.fields.items():
        is_leaf = not isinstance(
            get_named_type(field.type), GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType
        )
        if random.random() < 0.6 and (is_leaf or depth > 0):
            yield f"{name}{directive(random)}{selection_of(random, schema, field.type, depth - 1)}"
    if random.random() < ODD:
        yield random.choice(("x", "__type", "...F", "a: __typename " * random.randrange(1, 300)))


def value(random: Random, kind: GraphQLInputType, name: str = "") -> Any:
    """A value for a variable of this type, mostly of the right form."""
    if random.random() < ODD:
        return texts.value(random)
    if not isinstance(kind, GraphQLNonNull) and random.random() < 0.3:
        return None
    inner = get_nullable_type(kind)
    if isinstance(inner, GraphQLList):
        return [value(random, inner.of_type, name) for _ in range(random.randrange(4))]
    if isinstance(inner, GraphQLInputObjectType):
        return _input(random, inner)
    if isinstance(inner, GraphQLEnumType):
        return random.choice([*inner.values, "x"])
    if str(inner) == "Boolean":
        return random.choice((True, True, False))
    return texts.named(random, name)


def _input(random: Random, kind: GraphQLInputObjectType) -> dict[str, Any]:
    made = {name: value(random, field.type, name) for name, field in kind.fields.items()}
    for absent in [name for name in made if random.random() < ODD]:
        del made[absent]
    if "confirmPassword" in made and "password" in made:
        made["confirmPassword"] = made["password"]
    if random.random() < ODD:
        name = random.choice(list(kind.fields))
        made[name + random.choice(texts.case_changers())] = texts.text(random)
    return made


def changed(random: Random, document: str) -> str:
    """The document with a small fault in it."""
    at = random.randrange(len(document))
    kind = random.randrange(4)
    if kind == 0:
        return document[:at] + texts.text(random) + document[at:]
    if kind == 1:
        return document[:at] + document[at + random.randrange(8) :]
    if kind == 2:
        return document[: at + 1] * random.randrange(1, 20)
    return document.replace("{", "{" * random.randrange(1, 50), 1)
