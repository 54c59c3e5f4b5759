"""The refresh token in a cookie, by setting: no script of a page can read it, not even one that was smuggled in."""

from dataclasses import dataclass, field

NAME = "__Host-refresh"
"""A browser takes a cookie of this prefix only from its own host, over https, and for every path."""

PROOF = "GraphQL-Require-Preflight"
"""A page of another site cannot send this header without a preflight, which is answered for named origins only."""


class ProofMissing(Exception):
    """Raised by resolvers that use the cookie: the request lacks the header `PROOF`."""


@dataclass(slots=True)
class RefreshCookie:
    """The cookie of one request, and what its answer makes of it.

    `answer` is the value of Set-Cookie, None when the cookie stays as it is. `seconds` is how long a browser keeps it.
    """

    sent: str = field(repr=False)
    has_proof: bool
    seconds: int
    answer: str | None = field(default=None, repr=False)

    def demand_proof(self) -> None:
        """Raises ProofMissing, which becomes a top-level error of that code."""
        if not self.has_proof:
            raise ProofMissing

    def keep(self, token: str) -> None:
        self.answer = _set(token, self.seconds)

    def clear(self) -> None:
        self.answer = _set("", 0)


def _set(token: str, seconds: int) -> str:
    return f"{NAME}={token}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Strict"
