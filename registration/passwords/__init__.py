"""The stored password of a customer: changed by its owner, or reset by a mailed key."""
