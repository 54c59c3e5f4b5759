"""How long mails wait, over many draws."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest

from registration.mail.settlement import Failure, patience_with, wait_after
from registration.mail.transport import AboutUs, Broken, Deferred, Unknown
from tests.registration.people import NOW

DAY = timedelta(days=1)


def waits(failure: Failure, seed: int) -> Iterator[timedelta]:
    """The waits of a mail that always fails in this way, until it is given up."""
    random, now = Random(seed), NOW  # noqa: S311 - jitter
    while (wait := wait_after(patience_with(failure), NOW, now, random)) is not None:
        yield wait
        now += wait


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("failure", "days"), [(Deferred("451"), 3), (Broken("hung up"), 7), (Unknown("silence"), 7)])
def test_a_mail_is_given_up_after_days(failure: Failure, days: int, seed: int) -> None:
    """A mail that the recipient's side does not take is given up at the first failure after three or seven days."""
    *before, last = waits(failure, seed)
    assert sum(before, timedelta()) < days * DAY <= sum(before, last)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("failure", [Deferred("451"), Broken("hung up")])
def test_a_mail_that_has_not_arrived_comes_back_soon(failure: Failure, seed: int) -> None:
    """The first wait is at most 20 seconds; a wait is at most twice the time of failing, and at most an hour."""
    passed = timedelta()
    for wait in waits(failure, seed):
        assert wait <= min(timedelta(hours=1), max(timedelta(seconds=20), 2 * passed))
        passed += wait
    assert passed > DAY


@pytest.mark.parametrize("seed", range(20))
def test_a_mail_that_may_have_arrived_waits_longer_each_time(seed: int) -> None:
    """The first wait is at least five minutes; each is at least twice as long as the one before, up to half a day."""
    all_waits = list(waits(Unknown("silence"), seed))
    assert all_waits[0] >= timedelta(minutes=5)
    for before, after in pairwise(all_waits):
        assert after >= min(DAY / 2, 2 * before)
    assert len(all_waits) < 25


def test_what_is_ours_with_one_mail_comes_due_less_and_less() -> None:
    """A mail that is refused for a reason of its own waits up to an hour: many such leave room for the others."""
    random = Random(1)  # noqa: S311 - jitter
    patience = patience_with(AboutUs("554", is_for_all=False))
    drawn = [wait_after(patience, NOW, NOW + DAY, random) for _ in range(200)]
    assert all(wait and wait <= timedelta(hours=1) for wait in drawn)
    assert sum(filter(None, drawn), timedelta()) > 200 * timedelta(minutes=20)


def test_what_is_ours_to_mend_gives_no_mail_up() -> None:
    """A mail that waits for us is tried every few minutes, however long it takes."""
    random = Random(1)  # noqa: S311 - jitter
    for days in (0, 1, 100):
        wait = wait_after(patience_with(AboutUs("535")), NOW, NOW + days * DAY, random)
        assert wait is not None
        assert wait <= timedelta(minutes=5)
