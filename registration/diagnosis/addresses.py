"""The public addresses: whether clients and followers of links reach something of ours there."""

from collections.abc import Iterator
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from registration.diagnosis.finding import Finding, bad, good, skipped, worse

SECONDS = 5.0


def look_at_addresses(base_url: str, storefront_url: str) -> Iterator[Finding]:
    """Only the addresses of settings are asked, which are http or https."""
    yield _gateway(base_url)
    if storefront_url:
        yield _storefront(storefront_url)


def _gateway(base_url: str) -> Finding:
    status = _status(f"{base_url}/healthz")
    if status == 200:
        return good("public address", f"{base_url}/healthz answers 200")
    if isinstance(status, str):
        mend = "start the gateway and the proxy before it; from here the name may also lead elsewhere than for clients"
        return worse("public address", f"{base_url}/healthz: {status}", mend)
    mend = "let the proxy pass all paths below GATEWAY_PUBLIC_URL to the gateway (docs/proxy.md)"
    return bad("public address", f"{base_url}/healthz answers {status}", mend)


def _storefront(storefront_url: str) -> Finding:
    status = _status(storefront_url)
    if isinstance(status, str):
        return skipped("storefront", f"{storefront_url}: {status}", "links in mails lead there: open it in a browser")
    return good("storefront", f"{storefront_url} answers {status}")


def _status(url: str) -> int | str:
    """The status of the answer, or why there is none."""
    try:
        with urlopen(Request(url), timeout=SECONDS) as answer:  # noqa: S310 - the settings allow http and https only
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"no answer: {type(reason).__name__}"
