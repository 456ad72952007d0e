"""Placeholders and SMS parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smsutil import split

from messaging.text import GSM_BASIC, GSM_EXTENSION, compile_template, parts


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a" * 160, 1), ("a" * 161, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2),
     ("ж" * 70, 1), ("ж" * 71, 2), ("😀" * 35, 1), ("😀" * 36, 2), ("", 1)],
)  # fmt: skip
def test_parts_of_known_texts(text, expected):
    assert parts(text) == expected


@given(st.text(GSM_BASIC.replace("\r", "") + GSM_EXTENSION.replace("\f", ""), max_size=700))
def test_parts_agree_with_another_implementation(text):
    assert parts(text) == max(1, len(split(text).parts))


def test_placeholders_are_filled_and_line_breaks_kept():
    fill = compile_template("Hi  {{ FirstName }},\nfrom {{shop}} {{last_name}} !")
    contact = {"first_name": "$& Ann", "last_name": "", "email": ""}
    assert fill(contact) == "Hi $& Ann,\nfrom {{shop}} !"
