"""The door of the operator schema, with a clock of the test."""

from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from graphql_api.operators.door import MOST_WRONG, WAIT, TokenDoor


class Seconds:
    """A clock that stands still until it is told to go on."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def no_bearer(_token: str) -> None:
    """No token is good."""


def test_a_refusal_names_the_seconds_that_are_left() -> None:
    """After ten wrong tokens Retry-After counts down from the last of them; then tokens are looked at again."""
    clock = Seconds()
    client = TestClient(TokenDoor(PlainTextResponse("in"), no_bearer, lambda _: "192.0.2.1", clock))

    def answer() -> tuple[int, str | None]:
        response = client.get("/", headers={"authorization": "Bearer wrong"})
        return response.status_code, response.headers.get("retry-after")

    for _ in range(MOST_WRONG):
        clock.now += 10
        assert answer() == (401, None)
    last = clock.now
    for passed, left in ((0, "900"), (0.5, "900"), (100.5, "800"), (899.9, "1")):
        clock.now = last + passed
        assert answer() == (429, left)
    clock.now = last + WAIT
    assert answer() == (401, None)
