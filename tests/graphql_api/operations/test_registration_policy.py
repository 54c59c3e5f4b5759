"""registrationPolicy through the whole application, on both engines."""

from graphql import GraphQLInputObjectType

from graphql_api.engine.costs import field_costs
from graphql_api.schema import schema
from registration.customer import Gender
from registration.language import Language
from registration.rules.password import PasswordPolicy
from registration.rules.person import PersonPolicy
from registration.storage.database import Database, open_database
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


FIELDS = """query ($language: Language) {
  registrationPolicy(language: $language) {
    fields { name required minLength maxLength earliest latest choices { value label } }
    languages resendPauseSeconds termsVersion
  }
}"""


def test_a_form_can_be_built_from_the_policy(sqlite_url: str) -> None:
    """The policy lists every field of the input but the client's own key: required or not, limits, choices.

    Its lists have no more items than the limits on documents reckon with.
    """
    person = PersonPolicy(frozenset({"lastName", "dateOfBirth"}), tuple(Gender))
    with installed(open_database(sqlite_url), of_person=person, terms_version="2026-11") as installation:
        policy = installation.post(FIELDS).json()["data"]["registrationPolicy"]
        today = installation.services.clock().date()
    fields = {field["name"]: field for field in policy.pop("fields")}
    input_type = schema._schema.type_map["CreateCustomerInput"]
    assert isinstance(input_type, GraphQLInputObjectType)
    assert fields.keys() == input_type.fields.keys() - {"idempotencyKey"}
    assert [name for name, field in fields.items() if not field["required"]] == [
        *("salutation", "firstName", "gender", "language"),
    ]
    assert {name: field["maxLength"] for name, field in fields.items() if field["maxLength"]} == {
        "firstName": 100,
        "lastName": 100,
        "email": 100,
        "password": 128,
        "confirmPassword": 128,
    }
    born = fields["dateOfBirth"]
    assert (born["earliest"], born["latest"]) == (f"{today.year - 130}-01-01", today.isoformat())
    assert [choice["value"] for choice in fields["gender"]["choices"]] == ["FEMALE", "MALE", "OTHER"]
    choices = [choice for field in fields.values() for choice in field["choices"] or ()]
    items = field_costs(schema._schema).items
    assert len(fields) <= items["fields"]
    assert len(choices) <= items["fields"] * items["choices"]
    assert len(policy["languages"]) <= items["languages"]
    assert policy == {
        "languages": [language.name for language in Language],
        "resendPauseSeconds": 60,
        "termsVersion": "2026-11",
    }


def test_choices_have_labels_in_the_language_of_the_visitor(installation: Installation) -> None:
    """Labels are in the language of the argument, else in that of Accept-Language; languages name themselves."""

    def labels(header: str, **variables: str) -> list[str]:
        answer = installation.post(FIELDS, variables, **{"accept-language": header}).json()
        fields = {field["name"]: field for field in answer["data"]["registrationPolicy"]["fields"]}
        return [choice["label"] for name in ("gender", "language") for choice in fields[name]["choices"]]

    assert labels("de")[:2] == labels("en", language="DE")[:2] == ["Weiblich", "Männlich"]
    assert labels("en")[:2] == labels("de", language="EN")[:2] == ["Female", "Male"]
    assert labels("en")[2:] == labels("de")[2:]
    assert {"English", "Deutsch"} <= set(labels("de"))


def test_without_terms_there_is_no_version(installation: Installation) -> None:
    """Where the shop names no version of its terms, it is null."""
    assert installation.post("{ registrationPolicy { termsVersion } }").json() == {
        "data": {"registrationPolicy": {"termsVersion": None}}
    }
