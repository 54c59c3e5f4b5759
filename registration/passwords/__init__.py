"""The stored password of a customer: changed with the old password, or reset with a mailed key."""
