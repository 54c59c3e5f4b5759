"""Every state of every page behind a mailed link, with sample values: the shop's own templates are tried with them."""

from collections.abc import Mapping
from pathlib import Path

from graphql_api.pages.page import DIRECTORY, html_of, page_templates
from registration.diagnosis.mail_samples import CONFIRMED, MOMENT, PENDING
from registration.language import Language
from registration.shop import Shop
from registration.signing_up.confirmation import PendingSignUp
from registration.templates import compile_own, faults_told

KEY = {"key": "0" * 32}
SOON: Mapping[str, object] = {"retry_after": 60}
LATER: Mapping[str, object] = {"retry_after": 7200}
NOTHING: Mapping[str, object] = {}
MISTAKES = {"password": ["Too short."], "confirmPassword": ["Not the same."]}
NO_MISTAKES: Mapping[str, list[str]] = {"password": [], "confirmPassword": []}

SAMPLES: Mapping[str, list[tuple[str, Mapping[str, object]]]] = {
    "confirmation": [
        ("pending", KEY | {"pending": PendingSignUp("ada@example.org", "Ada", "Lovelace", MOMENT)}),
        ("pending", KEY | {"pending": PendingSignUp("ada@example.org", None, None, MOMENT)}),
        ("confirmed", {"customer": CONFIRMED}),
        ("confirmed", {"customer": PENDING}),
        ("disowned", NOTHING),
        ("resent", NOTHING),
        ("refused", NOTHING),
        ("not_an_address", NOTHING),
        ("too_many", SOON),
        ("too_many", LATER),
        ("unavailable", SOON),
    ],
    "email_change": [
        ("pending", KEY | {"email": "ada@example.org"}),
        ("confirmed", NOTHING),
        ("taken", NOTHING),
        ("refused", NOTHING),
        ("unavailable", SOON),
    ],
    "password": [
        ("form", KEY | {"rules": ["At least 7 characters."], "problems": NO_MISTAKES}),
        ("form", KEY | {"rules": [], "problems": MISTAKES}),
        ("done", NOTHING),
        ("sent", NOTHING),
        ("refused", NOTHING),
        ("not_an_address", NOTHING),
        ("too_many", SOON),
        ("too_many", LATER),
        ("unavailable", SOON),
    ],
    "export": [
        ("pending", KEY),
        ("refused", NOTHING),
        ("unavailable", SOON),
    ],
    "secure": [
        ("pending", KEY),
        ("done", NOTHING),
        ("taken", NOTHING),
        ("refused", NOTHING),
        ("unavailable", SOON),
    ],
}
"""By template: its states, each with the facts that `Page.render` gets."""


def try_pages(shop: Shop) -> None:
    """Render every page in every state and language. Raises TemplateFault."""
    if not shop.page_templates:
        return
    own = Path(shop.page_templates)
    compile_own(page_templates(shop.page_templates), own, DIRECTORY)
    for name, samples in SAMPLES.items():
        for state, facts in samples:
            for language in Language:
                with faults_told(own):
                    html_of(name, state, shop, language, "nonce", **facts)
