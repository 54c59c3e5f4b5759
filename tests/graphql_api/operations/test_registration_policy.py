"""registrationPolicy through the whole application, on both engines."""

from registration.rules.password import PasswordPolicy
from registration.storage.database import Database
from tests.graphql_api.installation import Installation, installed

QUERY = """{
  registrationPolicy {
    password {
      minLength maxLength needsAllCharacterClasses specialCharacters refusesRepeats refusesCommon
    }
    salutations genders nameMaxLength emailMaxLength confirmationRequired disclosure
  }
}"""


def test_a_form_learns_the_default_rules(installation: Installation) -> None:
    """The policy shows the default rules, without an access token and without a write."""
    before = installation.content()
    assert installation.post(QUERY).json() == {
        "data": {
            "registrationPolicy": {
                "password": {
                    "minLength": 7,
                    "maxLength": 128,
                    "needsAllCharacterClasses": False,
                    "specialCharacters": r"!@#$%^&*()_-+=[]{}|;:<>.,/?\~",
                    "refusesRepeats": False,
                    "refusesCommon": True,
                },
                "salutations": ["MR", "MRS", "MS", "DR"],
                "genders": ["FEMALE", "MALE"],
                "nameMaxLength": 100,
                "emailMaxLength": 100,
                "confirmationRequired": True,
                "disclosure": "REVEAL",
            }
        }
    }
    assert installation.content() == before


def test_a_form_learns_the_rules_of_this_installation(database: Database) -> None:
    """The policy shows the rules that the operator has set."""
    policy = PasswordPolicy(min_length=12, max_length=64, character_rule=True, repeats_rule=True)
    with installed(database, policy=policy, confirmation=None) as installation:
        answer = installation.post(QUERY).json()["data"]["registrationPolicy"]
    assert answer["confirmationRequired"] is False
    assert answer["password"] == {
        "minLength": 12,
        "maxLength": 64,
        "needsAllCharacterClasses": True,
        "specialCharacters": r"!@#$%^&*()_-+=[]{}|;:<>.,/?\~",
        "refusesRepeats": True,
        "refusesCommon": False,
    }
