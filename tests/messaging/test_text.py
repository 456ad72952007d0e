"""Placeholders and SMS parts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smsutil import split

from messaging.text import GSM_BASIC, GSM_EXTENSION, Template, count_parts


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a" * 160, 1), ("a" * 161, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2),
     ("ж" * 70, 1), ("ж" * 71, 2), ("😀" * 35, 1), ("😀" * 36, 2), ("", 1)],
)  # fmt: skip
def test_parts_of_known_texts(text, expected):
    assert count_parts(text) == expected


@given(st.text(GSM_BASIC.replace("\r", "") + GSM_EXTENSION.replace("\f", ""), max_size=700))
def test_parts_agree_with_another_implementation(text):
    assert count_parts(text) == max(1, len(split(text).parts))


def test_placeholders_are_filled_and_line_breaks_kept():
    template = Template("Hi  {{ FirstName }},\nfrom {{shop}} {{last_name}} !")
    contact = {"first_name": "$& Ann", "last_name": "", "email": ""}
    assert (template.fields, template.unknown_tags) == ({"first_name", "last_name"}, ["shop"])
    assert template.render(contact) == "Hi $& Ann,\nfrom {{shop}} !"


PIECES = st.lists(
    st.sampled_from(
        [
            "{{first_name}}",
            "{{ lastName }}",
            "{{code}}",
            " ",
            "  ",
            "\n",
            "a",
            "%s",
            "%",
            "{",
            "}}",
            "\t",
            ",",
            "\r\n",
        ]
    )
)
VALUES = st.text(st.sampled_from(" \n\ta%{}\u00a0é"), max_size=5)


@given(PIECES, VALUES, VALUES)
def test_a_filled_text_is_tidy_whatever_the_values(pieces, first, last):
    """The same as filling in and tidying the whole."""
    text = "".join(pieces)
    expected = text.replace("{{first_name}}", "\0").replace("{{ lastName }}", "\1")
    expected = expected.replace("\0", first).replace("\1", last)
    expected = re.sub(r"[^\S\n]+", " ", expected.replace("\r\n", "\n").replace("\r", "\n"))
    expected = re.sub(r" *\n *", "\n", expected).strip()
    assert Template(text).render({"first_name": first, "last_name": last}) == expected
