"""Messages: complete in every language, without placeholders left."""

import re
from enum import Enum, StrEnum

import pytest

from graphql_api.types.form_field import LABELS
from graphql_api.types.messages import VIOLATIONS, violation_message
from graphql_api.types.user_errors import USER_ERRORS, UserErrorCode
from registration.customer import Gender, Salutation
from registration.language import Language
from registration.outcomes import Violation, ViolationCode
from registration.texts import Text


@pytest.mark.parametrize(("codes", "texts"), [(UserErrorCode, USER_ERRORS), (ViolationCode, VIOLATIONS)])
def test_every_code_has_a_message(codes: type[Enum], texts: dict[Enum, Text]) -> None:
    """Each code has a message of its own, a sentence."""
    assert set(texts) == set(codes)
    assert len(set(texts.values())) == len(codes)
    assert all(text.english.endswith(".") for text in texts.values())


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("code", ViolationCode)
def test_every_violation_can_be_said(code: ViolationCode, language: Language) -> None:
    """Each message of a violation uses the same limits in every language."""
    message = violation_message(Violation("firstName", code, minimum=7, maximum=128), language)
    assert not re.search(r"%|None", message)
    expected = {ViolationCode.TOO_SHORT: ["7"], ViolationCode.TOO_LONG: ["128"]}
    assert re.findall(r"\d+", message) == expected.get(code, [])


@pytest.mark.parametrize("choices", [Gender, Salutation])
def test_every_choice_has_a_label(choices: type[StrEnum]) -> None:
    """Each choice of a form has a label in every language, which no other choice has."""
    for language in Language:
        labels = [LABELS[choice][language] for choice in choices]
        assert len(set(labels)) == len(choices)
