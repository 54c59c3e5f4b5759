"""Messages: complete in every language, without placeholders left."""

import re
from enum import Enum, StrEnum

import pytest

from graphql_api.types import messages
from graphql_api.types.form_field import LABELS
from graphql_api.types.messages import VIOLATIONS, Texts, violation_message
from graphql_api.types.user_errors import USER_ERRORS, UserErrorCode
from registration.customer import Gender, Salutation
from registration.language import Language
from registration.outcomes import Violation, ViolationCode

ALL: dict[str, Texts] = {
    **{name: value for name, value in vars(messages).items() if isinstance(value, dict) and Language.EN in value},
    **{code.name: texts for code, texts in USER_ERRORS.items()},
    **{code.name: texts for code, texts in VIOLATIONS.items()},
}


@pytest.mark.parametrize(("codes", "texts"), [(UserErrorCode, USER_ERRORS), (ViolationCode, VIOLATIONS)])
def test_every_code_has_a_message(codes: type[Enum], texts: dict[Enum, Texts]) -> None:
    """Each code of a violation has a message."""
    assert set(texts) == set(codes)


@pytest.mark.parametrize("name", ALL)
def test_every_message_exists_in_every_language(name: str) -> None:
    """Each message exists in every language, and differs between them."""
    texts = ALL[name]
    assert set(texts) == set(Language)
    assert len(set(texts.values())) == len(Language)
    assert all(text.strip() == text and text.endswith(".") for text in texts.values())


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("code", ViolationCode)
def test_every_violation_can_be_said(code: ViolationCode, language: Language) -> None:
    """Each message of a violation uses the same limits in every language."""
    message = violation_message(Violation("firstName", code, minimum=7, maximum=128), language)
    assert not re.search(r"[{}]|None", message)
    expected = {ViolationCode.TOO_SHORT: ["7"], ViolationCode.TOO_LONG: ["128"]}
    assert re.findall(r"\d+", message) == expected.get(code, [])


@pytest.mark.parametrize("choices", [Gender, Salutation, Language])
def test_every_choice_has_a_label(choices: type[StrEnum]) -> None:
    """Each choice of a form has a label in every language, which no other choice has."""
    for language in Language:
        labels = [LABELS[choice][language] for choice in choices]
        assert len(set(labels)) == len(choices)
