import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_api.http.strict_json import MAX_DEPTH, NotJson, read_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**50), 10**50)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


class TestReads:
    @given(VALUES)
    def test_every_value_that_json_can_hold(self, value: object) -> None:
        """Everything that json.dumps writes, with or without escapes, is read back."""
        assert read_json(json.dumps(value).encode()) == value
        assert read_json(json.dumps(value, ensure_ascii=False).encode()) == value

    def test_null_as_a_value(self) -> None:
        """null is read as the value None."""
        assert read_json(b" null ") is None

    def test_escaped_surrogate_pairs(self) -> None:
        """An escaped surrogate pair is read as one character."""
        assert read_json(rb'"\ud83d\ude00"') == "😀"

    def test_the_deepest_nesting(self) -> None:
        """Nesting of exactly the limit is accepted."""
        assert isinstance(read_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH), list)

    def test_many_brackets_side_by_side(self) -> None:
        """Many brackets side by side are not nesting."""
        assert read_json(b"[" + b"[]," * 400 + b"[]]") == [[]] * 401

    def test_integers_of_many_digits(self) -> None:
        """An integer of a hundred digits is read."""
        assert read_json(b"9" * 100) == 10**100 - 1

    def test_separators_inside_a_string(self) -> None:
        """Commas and brackets in a string, such as a GraphQL document, are not items."""
        text = '{[,"\\' * 2000
        assert read_json(json.dumps([text]).encode()) == [text]


class TestRefuses:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "is empty"),
            (b" \n", "is empty"),
            (b"{", "is not valid JSON (line 1, column 2)"),
            (b'{"a": 1}{', "is not valid JSON (line 1, column 9)"),
            (b'"tab\tinside"', "is not valid JSON (line 1, column 5)"),
            (b"\xef\xbb\xbf{}", "starts with a byte order mark"),
            (b'{"a": "\xff"}', "is not valid UTF-8 (byte 7)"),
            ('{"a": 1}'.encode("utf-16"), "is not valid UTF-8 (byte 0)"),
            (b'{"a": NaN}', "holds NaN, which JSON does not have"),
            (b"[-Infinity]", "holds -Infinity, which JSON does not have"),
            (b"[1e999]", "holds a number that is too large"),
            (b"9" * 101, "holds a number with too many digits"),
            (b"-" + b"9" * 60_000, "holds a number with too many digits"),
            (b'{"a": 1, "b": 2, "a": 1}', "names the key 'a' more than once in one object"),
            (rb'{"\ud800": 1, "\ud800": 1}', r"names the key '\ud800' more than once in one object"),
            (rb'["\ud800"]', "holds half of a surrogate pair"),
            (rb'{"a": {"\udfff": 1}}', "holds half of a surrogate pair"),
            (b"[" * 65 + b"]" * 65, "is nested more than 64 levels deep"),
            (b'{"a":' * 65 + b"1" + b"}" * 65, "is nested more than 64 levels deep"),
            (b"[" * 1000, "is nested more than 64 levels deep"),
            (b"[" * 100_000 + b"]" * 100_000, "holds more than 1000 members and items"),
            (b"[" + b"1," * 1000 + b"1]", "holds more than 1000 members and items"),
            (b"[" + b"[]," * 500 + b"[]]", "holds more than 1000 members and items"),
            (b"," * 1001 + b'"' + b'\\"' * 30_000, "holds more than 1000 members and items"),
        ],
    )
    def test_says_why(self, content: bytes, reason: str) -> None:
        """A refusal gives a reason that completes a sentence about the bytes."""
        assert read_json(content) == NotJson(reason)

    def test_a_repeated_key_is_quoted_in_part(self) -> None:
        """The reason quotes at most one hundred characters of a repeated key."""
        refused = read_json(b'{"%s": 1, "%s": 2}' % (b"k" * 5000, b"k" * 5000))
        assert isinstance(refused, NotJson)
        assert len(refused.reason) < 200

    @given(st.binary() | st.text().map(str.encode).map(lambda text: b'{"password": ' + text))
    def test_raises_for_no_bytes(self, content: bytes) -> None:
        """Arbitrary bytes give a value or a reason, and no exception."""
        read_json(content)
