"""The rule of web addresses in settings."""

from urllib.parse import urlsplit


def is_web_address(text: str) -> bool:
    """Whether a text is an address that a browser opens as it is written: no spaces, no user, no password."""
    try:
        parts = urlsplit(text)
        is_known = parts.scheme in {"http", "https"} and parts.hostname is not None and parts.port != 0
    except ValueError:  # no port, or no address of IPv6
        return False
    return is_known and "@" not in parts.netloc and not set(text) & set(' \\"<>')
