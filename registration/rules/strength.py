"""The strength of a password: how many guesses it takes, as zxcvbn counts them."""

# zxcvbn tries letters written as signs: 32 hostile characters cost 1.4 s, 20 cost 0.05 s at most (measured).
MEASURED = 20


def strength(password: str) -> int:
    """From 0 (among the first thousand guesses) to 4 (ten thousand million are not enough).

    Of any text but the empty one. Only the first MEASURED characters count: more of them make it only stronger.
    """
    # Imported here, because its word lists take 50 ms and 10 MB, and the rule is off by default.
    from zxcvbn import zxcvbn  # type: ignore[import-untyped]  # noqa: PLC0415

    return int(zxcvbn(password[:MEASURED])["score"])
