"""PendingConfirmation: a mailed link that an address waits for, without its token."""

from datetime import datetime

import strawberry


@strawberry.type(description="An address waits until the link in a mail is followed.")
class PendingConfirmation:
    sent_to: str = strawberry.field(description="The address that gets the mail with the link.")
    expires_at: datetime = strawberry.field(description="When the link stops working (UTC).")


def pending_confirmation(email: str | None, confirm_before: datetime | None) -> PendingConfirmation | None:
    """None where no address waits for its confirmation."""
    if email is None or confirm_before is None:
        return None
    return PendingConfirmation(sent_to=email, expires_at=confirm_before)
