"""Logs alarms for the operator when mails wait for a reason that is not their recipient."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from registration.mail.transport import AboutUs, Broken, Unknown

ALARM_EVERY = timedelta(hours=1)

log = structlog.get_logger(__name__)


class Alarms:
    """Logs one line an hour for each reason: an error where an operator must act, a warning where it may pass."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._logged: dict[str, datetime] = {}  # by reason; when

    def call(self, failure: AboutUs | Broken | Unknown) -> None:
        now, reason = self._clock(), failure.reason
        self._logged = {each: at for each, at in self._logged.items() if abs(now - at) < ALARM_EVERY}
        if reason not in self._logged:
            self._logged[reason] = now
            if isinstance(failure, AboutUs) and not failure.is_lasting:
                log.warning("mails wait for the mail server", reason=reason)
            else:
                log.error("mails wait for an operator", reason=reason)
