"""The pages under docs keep their form, and what the code cites is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
DECISIONS = sorted((REPOSITORY / "docs" / "decisions").glob("0*.md"))
HOW_TO = REPOSITORY / "docs" / "how-to.md"
INDEX = REPOSITORY / "docs" / "decisions" / "README.md"
PACKAGES = ("registration", "graphql_api", "rest_compat", "tests")
CODE = [path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")]
PARTS = ["## Context", "## Decision", "## Consequences"]
STATUS = r"accepted(, built in part)?|superseded by (?P<successor>\d{4})"
RULINGS = range(1, 31)

SECTION = r"\d\d?(?:\.\d)?(?!\d)"
SECTIONS = rf"{SECTION}(?:(?:, | to | and ){SECTION})*"
# "contract 3.3", "sections 3.3 and 4.3"; a docstring in tests/contract ends with "(2.2, 3.3)".
IN_WORDS = re.compile(rf"(?:[Cc]ontract|[Ss]ections?)\s+\(?({SECTIONS})")
IN_BRACKETS = re.compile(rf"\"\"\".*\(({SECTIONS})[,)]")


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name[:4])
def test_a_decision_has_one_form(page: Path) -> None:
    """A decision has a number, a date, a status, a first sentence and three parts, in at most 40 lines.

    It is built in part if, and only if, it says what is not built yet.
    """
    text = page.read_text("utf-8")
    title, facts, sentence, *_ = text.split("\n\n")
    assert re.fullmatch(rf"# {page.name[:4]} \S.*", title)
    assert re.fullmatch(rf"Date: \d{{4}}-\d\d-\d\d\nStatus: ({STATUS})", facts)
    assert re.fullmatch(r"[^#|-].*\.", sentence, re.DOTALL)
    assert re.findall("^## .*$", text, re.MULTILINE) == PARTS
    assert text.count("\n") <= 40
    assert ("not built yet" in text.lower()) == ("built in part" in facts)


def test_decisions_are_numbered_without_gaps() -> None:
    """The first decision is 0001 and each number is the last one plus one."""
    assert [page.name[:4] for page in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]


def test_the_index_quotes_every_decision() -> None:
    """The index has a row for each decision, with its first sentence and its status."""
    rows = [_cells(line) for line in INDEX.read_text("utf-8").splitlines() if line.startswith("| [0")]
    assert rows == [_row(page) for page in DECISIONS]


def test_every_ruling_is_told_in_a_decision() -> None:
    """The index says for each ruling which decisions tell it, and those name the ruling."""
    listed = re.findall(r"^\| (\d+) \| ([\d, ]+) \|$", INDEX.read_text("utf-8"), re.MULTILINE)
    told = {page.name[:4]: _rulings(page) for page in DECISIONS}
    assert [int(ruling) for ruling, _ in listed] == list(RULINGS)
    assert {int(ruling): numbers for ruling, numbers in listed} == {
        ruling: ", ".join(number for number, rulings in told.items() if ruling in rulings) for ruling in RULINGS
    }


def test_cited_decisions_exist() -> None:
    """A decision that code or a decision cites by its number is there."""
    texts = [path.read_text("utf-8") for path in (*CODE, *DECISIONS)]
    cited = {number for text in texts for number in re.findall(r"decision (\d{4})", text)}
    assert cited
    assert cited <= {page.name[:4] for page in DECISIONS}


def test_cited_sections_of_the_contract_exist() -> None:
    """Every section of the legacy contract that code cites has a heading in docs/glue-contract.md."""
    page = (REPOSITORY / "docs" / "glue-contract.md").read_text("utf-8")
    sections = set(re.findall(r"^##+ (\d+(?:\.\d+)?)\.? ", page, re.MULTILINE))
    cited = {number for path in CODE for number in _sections_cited(path)}
    assert len(cited) > 30
    assert cited <= sections


def test_how_to_names_tests_and_files_that_exist() -> None:
    """Each test in docs/how-to.md is a function of the tests, and each path is there or is marked as new."""
    text = HOW_TO.read_text("utf-8")
    tests = set(re.findall(r"\bdef (test_\w+)", "".join(path.read_text("utf-8") for path in CODE)))
    named = set(re.findall(r"`(test_\w+)[^`/]*`", text))
    paths = re.findall(r"`([\w.-]+/[\w./-]+)`(?! \(new\))", text)
    assert named
    assert paths
    assert named - tests == set()
    assert [path for path in paths if not (REPOSITORY / path).exists()] == []


def test_sentences_name_their_subject() -> None:
    """Neither the product nor its pages say "nobody" or "whoever": they name the client, the customer, the process."""
    pages = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]
    product = [path for path in CODE if "tests" not in path.relative_to(REPOSITORY).parts]
    words = re.compile(r"\b(nobody|somebody|someone|anybody|anyone|whoever|whomever)\b", re.IGNORECASE)
    assert [path.name for path in (*pages, *product) if words.search(path.read_text("utf-8"))] == []


def test_decisions_name_files_that_exist() -> None:
    """A path in a decision is one of the repository or of a package, with or without `.py`."""
    roots = [REPOSITORY, *(REPOSITORY / name for name in ("registration", "graphql_api", "rest_compat"))]
    paths = {path for page in DECISIONS for path in re.findall(r"`([\w.-]+(?:/[\w.-]+)+)`", page.read_text("utf-8"))}
    assert len(paths) > 10
    assert [
        path for path in paths if not any((root / f"{path}{end}").exists() for root in roots for end in ("", ".py"))
    ] == []


def _cells(line: str) -> tuple[str, str, str]:
    number, sentence, status = line.strip("| ").split(" | ")
    return re.sub(r"\[(.*?)\]\(.*?\)", r"\1", number), sentence, re.sub(r"\[(.*?)\]\(.*?\)", r"\1", status)


def _row(page: Path) -> tuple[str, str, str]:
    _, facts, sentence, *_ = page.read_text("utf-8").split("\n\n")
    return page.name[:4], sentence.replace("\n", " "), facts.partition("Status: ")[2]


def _rulings(page: Path) -> set[int]:
    named = re.findall(r"rulings?\s+(\d+(?:(?:,| and)\s+\d+)*)", page.read_text("utf-8"), re.IGNORECASE)
    return {int(number) for numbers in named for number in re.findall(r"\d+", numbers)}


def _sections_cited(path: Path) -> Iterator[str]:
    text = path.read_text("utf-8")
    patterns = (IN_WORDS, IN_BRACKETS) if "contract" in path.parts else (IN_WORDS,)
    for pattern in patterns:
        for numbers in pattern.findall(text):
            yield from re.findall(SECTION, numbers)
