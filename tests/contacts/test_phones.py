"""Phone numbers are read as the library reads them, and usual ones without it."""

import random
import re

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from contacts.phone_patterns import international_number_rules, national_number_rules
from contacts.phones import is_certainly_mobile_e164, to_e164_or_none
from tests.support import phones
from tests.support.phones import differing

DIGITS = "0123456789"
KINDS = [
    "general_desc",
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
]


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("690 000 0001", "GR", "+306900000001"),
        ("(690) 000-0001", "GR", "+306900000001"),
        ("306900000001", "GR", "+306900000001"),
        ("00 30 690.000.0001", "DE", "+306900000001"),
        ("+44 (0)7400 123456", "GR", "+447400123456"),
        ("07400 123456", "GB", "+447400123456"),
        ("0151/12345678", "DE", "+4915112345678"),
        ("+39 06 12345678", "GR", "+390612345678"),
        ("391 2345678", "IT", "+393912345678"),
        ("8 912 345-67-89", "RU", "+79123456789"),
        ("8 (800) 123-45-67", "RU", "+78001234567"),
        ("+7 800 123 45 67", "GR", "+78001234567"),
        ("+1 201-555-0123 ext. 5", "GR", "+12015550123"),
        ("011 30 690 0000001", "US", "+306900000001"),
        ("٦٩٠٠٠٠٠٠٠١", "GR", "+306900000001"),
        ("690 000 000", "GR", None),
        ("690 000 0001" + " " * 250 + "1", "GR", None),
        ("+21 690 000 0001", "GR", None),
        # A prefix, or a calling code without plus, is taken off only where the rest allows it.
        ("+1 13109921", "US", None),
        ("55800092294", "BR", None),
        ("358300201", "AX", "+358300201"),
        ("6900000001", "XX", None),
        ("", "GR", None),
    ],
)
def test_numbers_as_people_write_them(text, region, expected):
    assert to_e164_or_none(text, region) == expected


@pytest.mark.parametrize(
    ("rules", "digits"),
    [
        (national_number_rules("GR", 10), "6900000001"),
        (national_number_rules("GR", 12), "306900000001"),
        (national_number_rules("DE", 12), "015112345678"),
        (national_number_rules("GB", 11), "07400123456"),
        (national_number_rules("IT", 10), "3912345678"),
        (national_number_rules("RU", 11), "89123456789"),
        (international_number_rules("306", 12), "306900000001"),
        (international_number_rules("447", 12), "447400123456"),
        (international_number_rules("440", 13), "4407400123456"),
        (international_number_rules("491", 13), "4915112345678"),
        (international_number_rules("780", 11), "78001234567"),
        (international_number_rules("120", 11), "12015550123"),
    ],
)
def test_usual_numbers_are_known_to_be_valid_without_the_library(rules, digits):
    assert rules.accept(digits)


@pytest.mark.parametrize(
    ("rules", "digits"),
    [
        (national_number_rules("GR", 9), "690000000"),
        (international_number_rules("306", 11), "30690000000"),
        (international_number_rules("491", 9), "491511234"),
    ],
)
def test_numbers_of_wrong_length_are_known_to_be_invalid_without_the_library(rules, digits):
    assert not rules.accept(digits) and not rules.needs_library(digits)


@pytest.mark.parametrize(
    "text", ["+306900000001", "+447400123456", "+4915112345678", "+33612345678", "+12015550123"]
)
def test_usual_mobiles_are_known_to_be_plain(text):
    assert is_certainly_mobile_e164(text)


@pytest.mark.parametrize(
    "text",
    [
        "306900000001",
        "+30690000000",
        "+30 6900000001",
        "+3069000000٠١",
        "+302101234567",
        "+3547400123456",
        "+4407400123456",
        "+999123456789",
        "+01201555012",
        "+",
        "",
    ],
)
def test_other_numbers_are_not_plain_mobiles(text):
    assert not is_certainly_mobile_e164(text)


@pytest.mark.slow
def test_plain_mobiles_are_mobiles_of_the_same_digits_by_the_library():
    draw = random.Random(20261126)
    texts = {"+" + re.sub(r"\D", "", phones.random_number(draw)[0]) for _ in range(20_000)}
    texts = set(filter(is_certainly_mobile_e164, texts))
    assert len(texts) > 100
    for text in texts:
        number = phonenumbers.parse(text)
        assert phonenumbers.is_valid_number(number), text
        assert phonenumbers.format_number(number, PhoneNumberFormat.E164) == text
        assert phonenumbers.number_type(number) in (
            PhoneNumberType.MOBILE,
            PhoneNumberType.FIXED_LINE_OR_MOBILE,
        ), text


@pytest.mark.slow
@pytest.mark.parametrize("style", ["E164", "INTERNATIONAL", "NATIONAL", "RFC3966", "00"])
def test_the_example_of_every_region_and_type_is_read_as_by_the_library(style):
    numbers = []
    for home, number in phones.examples():
        if style == "00":
            text = "00" + phonenumbers.format_number(number, PhoneNumberFormat.E164)[1:]
        else:
            text = phonenumbers.format_number(number, getattr(PhoneNumberFormat, style))
        numbers += [(text, home), (text, "GR")]
    assert len(numbers) > 2000
    assert differing(numbers) == []


@pytest.mark.slow
def test_random_numbers_are_read_as_by_the_library():
    draw = random.Random(20261124)
    assert differing(phones.random_number(draw) for _ in range(20_000)) == []


@st.composite
def numbers_of_some_pattern(draw) -> tuple[str, str]:
    """Digits that fit a pattern of a region, behind whatever may stand before a number."""
    region = draw(st.sampled_from(phones.REGIONS))
    metadata = PhoneMetadata.metadata_for_region(region)
    kinds = [getattr(metadata, kind) for kind in KINDS]
    patterns = [kind.national_number_pattern for kind in kinds if kind]
    patterns += [metadata.national_prefix_for_parsing, metadata.international_prefix]
    parts = st.sampled_from([pattern for pattern in patterns if pattern]).flatmap(
        lambda pattern: st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True)
    )
    before = draw(st.sampled_from([*phones.BEFORE_CODE, "national"]))
    before = before + str(metadata.country_code) if before != "national" else ""
    text = before + draw(st.sampled_from(phones.BEFORE_NATIONAL) | parts) + draw(parts)
    return text, draw(st.sampled_from([region, region, "GR"]))


@given(numbers_of_some_pattern())
@pytest.mark.slow
def test_numbers_that_fit_a_pattern_are_read_as_by_the_library(number):
    assert differing([number]) == []


@settings(deadline=None)  # the first example of a country loads its metadata
@given(
    st.lists(
        st.sampled_from([*DIGITS * 20, *phones.BEFORE_CODE, *phones.WITHIN, *phones.AFTER]),
        max_size=25,
    ),
    st.sampled_from(phones.REGIONS + phones.NO_REGIONS),
)
def test_any_text_is_read_as_by_the_library(pieces, region):
    assert differing([("".join(pieces), region)]) == []
