"""docs/asvs.md has a verdict for every row of the standard, and what it names is there and runs."""

import ast
import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
REPOSITORY = TESTS.parent
PAGE = REPOSITORY / "docs" / "asvs.md"
DECISIONS = {path.name for path in (REPOSITORY / "docs" / "decisions").glob("0*.md")}
VERDICTS = ("passes", "not applicable", "departs", "fails")
NODE = re.compile(r"`(tests/[^`]+)`")
NOT_RUN = re.compile(r"skip|xfail")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of one of the tables; `evidence` is its last cell."""

    number: str
    summary: str
    verdict: str
    evidence: str


def rows() -> list[Row]:
    lines = PAGE.read_text("utf-8").splitlines()
    return [
        Row(*map(str.strip, line.strip("|").split("|"))) for line in lines if re.match(r"\| \d+\.\d+\.\d+ \|", line)
    ]


def standard() -> dict[str, str]:
    """The level of every row of the standard."""
    with (TESTS / "asvs_rows.csv").open() as file:
        return {row["row"]: row["level"] for row in csv.DictReader(file)}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def problem(module: ast.Module, names: list[str]) -> str | None:
    """Why pytest would not run the test with these names of class and function; None when it would."""
    node: ast.AST = module
    if any(_is_marked(statement) for statement in module.body if isinstance(statement, ast.Assign)):
        return "its module is skipped"
    for name in names:
        body = getattr(node, "body", [])
        found = [each for each in body if getattr(each, "name", "") == name]
        if not found or not name.startswith("Test" if isinstance(found[0], ast.ClassDef) else "test_"):
            return f"{name} is no test"
        node = found[0]
        if any(NOT_RUN.search(ast.unparse(each)) for each in getattr(node, "decorator_list", [])):
            return f"{name} is skipped"
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return "no function is named"
    if any(re.search(r"pytest\.(skip|xfail)\b", ast.unparse(each)) for each in node.body):
        return "it may skip itself"
    return None


def _is_marked(statement: ast.Assign) -> bool:
    is_mark = any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in statement.targets)
    return is_mark and NOT_RUN.search(ast.unparse(statement.value)) is not None


def problems() -> Iterator[str]:
    """What is wrong with the tests that are named."""
    for row in rows():
        for node in NODE.findall(row.evidence):
            name, *names = node.split("::")
            path = REPOSITORY / name
            if not path.is_file() or not path.name.startswith("test_"):
                yield f"{row.number}: {name} is no file of tests"
            elif found := problem(tree(path), names):
                yield f"{row.number}: {node}: {found}"


def test_every_row_has_a_verdict() -> None:
    """The rows are those of the standard, each once and in its order, with a summary and one of four verdicts."""
    assert [row.number for row in rows()] == list(standard())
    assert [row.number for row in rows() if row.verdict not in VERDICTS or not row.summary] == []


def test_every_verdict_has_its_evidence() -> None:
    """`passes` names tests, `departs` a decision that exists and what holds, the others have a reason in words."""
    forms = {
        "passes": rf"{NODE.pattern}( {NODE.pattern})*(; [^`].*)?",
        "departs": r"decision \[(\d{4})\]\(decisions/\1-[\w.-]+\): \S.+",
        "not applicable": r"(?!.*tests/)\S.+",
        "fails": r"(?!.*tests/)\S.+",
    }
    assert [row.number for row in rows() if not re.fullmatch(forms[row.verdict], row.evidence)] == []
    cited = {name for row in rows() for name in re.findall(r"\(decisions/([\w.-]+)\)", row.evidence)}
    assert cited - DECISIONS == set()


def test_departures_are_told_in_their_decision() -> None:
    """The decision about this standard has a reason for exactly the rows that depart with it."""
    (page,) = [name for name in DECISIONS if name.endswith("-where-asvs-is-not-met.md")]
    text = (REPOSITORY / "docs" / "decisions" / page).read_text("utf-8")
    listed = [number for cell in re.findall(r"^\| (\d[\d., ]+) \|", text, re.MULTILINE) for number in cell.split(", ")]
    assert sorted(listed) == sorted(row.number for row in rows() if page in row.evidence and row.verdict == "departs")


def test_named_tests_are_run() -> None:
    """Each test that is named is a function of the tests that pytest collects, and none is skipped or may skip itself.

    Where a program is missing, fixtures skip tests on a machine of a developer; `.ci/run` has them fail there.
    """
    assert list(problems()) == []


def test_the_head_counts() -> None:
    """The table at the head has the number of rows by verdict and level, and the rows that fail are named below it."""
    text, levels = PAGE.read_text("utf-8"), standard()
    counted = Counter((row.verdict, levels[row.number]) for row in rows())
    for verdict in VERDICTS:
        first, second = counted[verdict, "1"], counted[verdict, "2"]
        assert f"| {verdict} | {first} | {second} | {first + second} |" in text
    failing = [row.number for row in rows() if row.verdict == "fails"]
    assert f"\nRows that fail: {', '.join(failing) or 'none'}.\n" in text


@pytest.mark.parametrize(
    ("code", "names", "found"),
    [
        ("def test_a(): pass", ["test_a"], None),
        ("async def test_a(): pass", ["test_a"], None),
        ("class TestA:\n def test_a(self): pass", ["TestA", "test_a"], None),
        ("def test_a(): pass", ["test_b"], "test_b is no test"),
        ("def helper(): pass", ["helper"], "helper is no test"),
        ("class A:\n def test_a(self): pass", ["A", "test_a"], "A is no test"),
        ("class TestA:\n def test_a(self): pass", ["TestA"], "no function is named"),
        ("@pytest.mark.skip('x')\ndef test_a(): pass", ["test_a"], "test_a is skipped"),
        ("@pytest.mark.skipif(A)\nclass TestA:\n def test_a(self): pass", ["TestA", "test_a"], "TestA is skipped"),
        ("@pytest.mark.xfail\ndef test_a(): pass", ["test_a"], "test_a is skipped"),
        ("pytestmark = [pytest.mark.skip]\ndef test_a(): pass", ["test_a"], "its module is skipped"),
        ("pytestmark = pytest.mark.long\ndef test_a(): pass", ["test_a"], None),
        ("def test_a():\n if A: pytest.skip('x')", ["test_a"], "it may skip itself"),
    ],
)
def test_a_test_that_does_not_run_is_found(code: str, names: list[str], found: str | None) -> None:
    """Each way in which a name could be no test that runs has its reason."""
    assert problem(ast.parse(code), names) == found
