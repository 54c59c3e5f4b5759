"""The domain of the sender: whether its DNS lets receivers trust our mails (SPF, DKIM, DMARC)."""

from collections.abc import Callable, Iterator

from dns.exception import DNSException
from dns.resolver import NXDOMAIN, NoAnswer, Resolver

from registration.diagnosis.finding import Finding, good, skipped, worse

SECONDS = 5.0
LOCAL = ("localhost", "example", "invalid", "test", "local", "internal")
SELECTORS = ("default", "mail", "dkim", "s1", "selector1", "google", "k1")
"""Names that mail servers use often: a selector cannot be asked for, only guessed."""

Texts = Callable[[str], list[str]]
"""The TXT records of a name; empty without one. Raises DNSException where no resolver answers."""


def texts_of(name: str) -> list[str]:
    resolver = Resolver()  # of this machine; raises where it has none
    resolver.lifetime = SECONDS
    try:
        answer = resolver.resolve(name, "TXT")
    except (NXDOMAIN, NoAnswer):
        return []
    return [b"".join(record.strings).decode("ascii", "replace") for record in answer]


def look_at_sender_domain(domain: str, texts: Texts = texts_of) -> Iterator[Finding]:
    if domain.rpartition(".")[2] in LOCAL:
        yield worse("sender's domain", f"{domain} exists on no network", "name a domain of yours in GATEWAY_MAIL_FROM")
        return
    try:
        yield _spf(domain, texts)
        yield _dmarc(domain, texts)
        yield _dkim(domain, texts)
    except DNSException as error:
        yield skipped(
            "sender's domain", f"no resolver answered: {type(error).__name__}", "ask again where there is one"
        )


def _spf(domain: str, texts: Texts) -> Finding:
    found = [text for text in texts(domain) if text.lower().split(" ")[0] == "v=spf1"]
    if len(found) > 1:
        return worse("SPF", f"{domain} has {len(found)} records, so that none counts", "leave one (RFC 7208, 3.2)")
    if not found:
        return worse("SPF", f"{domain} has no record", "publish v=spf1 with the servers that send for it, and -all")
    return good("SPF", found[0])


def _dmarc(domain: str, texts: Texts) -> Finding:
    parts = domain.split(".")
    names = [f"_dmarc.{domain}"] + ([f"_dmarc.{'.'.join(parts[-2:])}"] if len(parts) > 2 else [])
    found = next((text for name in names for text in texts(name) if text.startswith("v=DMARC1")), None)
    if found is None:
        return worse("DMARC", f"{names[0]} has no record", "publish v=DMARC1; p=quarantine; rua=mailto:… (RFC 7489)")
    if "p=none" in found.replace(" ", ""):
        return worse("DMARC", found, "a policy of none lets others send as you: quarantine or reject")
    return good("DMARC", found)


def _dkim(domain: str, texts: Texts) -> Finding:
    found = [name for name in SELECTORS if any("p=" in text for text in texts(f"{name}._domainkey.{domain}"))]
    if found:
        return good("DKIM", f"{domain} has a key under {', '.join(found)}")
    return skipped(
        "DKIM", "no key under the usual selectors", "send a mail to yourself and look for DKIM-Signature in it"
    )
