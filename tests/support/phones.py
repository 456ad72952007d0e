"""Invented phone numbers of all countries, as people and programs write them, well or badly."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberType

from contacts.phones import _e164_by_library_or_none, to_e164_or_none

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
NO_REGIONS = ["", "XX", "gr", "001"]
BEFORE_CODE = [
    "+",
    "+",
    "+",
    "+",
    "00",
    "00",
    "",
    "",
    "(+",
    "+ ",
    "++",
    "0",
    "00 ",
    "(00",
    "000",
    "+00",
    "00+",
    "011",
    "810",
    "010",
    "0011",
    "\uff0b",
    "tel:+",
    "Tel. ",
    "-",
    " ",
]
BEFORE_NATIONAL = ["", "", "", "", "0", "0", "(0)", "1", "8", "06", "9", "15", "00", "180020"]
PUNCTUATION = ["", "", " ", " ", "-", ".", "/", "(", ")", ") ", " (", "\u00a0", "  ", " - "]
WITHIN = [
    "x",
    "X",
    "a",
    "ABC",
    "#",
    "*",
    "+",
    "~",
    ",",
    ",,",
    ";",
    "_",
    ":",
    "'",
    "[",
    "]",
    "\\",
    "\n",
    "\t",
    "\u00ad",
    "\u200b",
    "\u200e",
    "\u2011",
    "\u2013",
    "\u202a",
    "\u2060",
    "\u3000",
    "\ufeff",
    "\uff0d",
    "²",
    "½",
]
AFTER = [
    "ext 12",
    " ext. 123",
    "x5",
    " x 77",
    ";ext=7",
    "#12",
    " - 503#",
    ",,12",
    ";12",
    " доб. 4",
    "/",
    " / 6900000001",
    "/x2",
    " (mobile)",
    ".",
    "\u00a0",
    "\n",
    "\u202c",
    " int 4",
    "~8",
    ";phone-context=+30",
    ";phone-context=example.com",
    ";isub=1",
    "0" * 20,
    " " * 30 + "1",
    " " * 260 + "1",
]
ZEROS_OF_OTHER_SCRIPTS = ["٠", "०", "\uff10", "𝟎"]


@functools.cache
def examples() -> list[tuple[str, PhoneNumber]]:
    """The library's example of each type of number of each region, with the region."""
    numbers = [
        (region, phonenumbers.example_number_for_type(region, kind))
        for region in REGIONS
        for kind in PhoneNumberType.values()
    ]
    numbers += [
        ("001", phonenumbers.example_number_for_non_geo_entity(code))
        for code in sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS)
    ]
    return [(region, number) for region, number in numbers if number]


def random_number(draw: random.Random) -> tuple[str, str]:
    """A number as text, valid or not, and the region to read it in."""
    home, example = draw.choice(examples())
    code = str(example.country_code)
    number = _digits_like(draw, phonenumbers.national_significant_number(example))
    if draw.random() < 0.5:
        number = draw.choice([*BEFORE_NATIONAL, _prefix_of(home)]) + number
    if draw.random() < 0.6:
        number = draw.choice(BEFORE_CODE) + code + number
    if draw.random() < 0.6:
        number = _punctuated(draw, number)
    if draw.random() < 0.1:
        number = _spoilt(draw, number)
    chance = draw.random()
    if chance < 0.5:
        return number, home
    if chance < 0.7:
        return number, "GR"
    if chance < 0.75:
        return number, draw.choice(NO_REGIONS)
    same_code = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[example.country_code]
    return number, draw.choice(same_code if chance < 0.85 else REGIONS)


def differing(numbers: Iterable[tuple[str, str]]) -> list[str]:
    """What `to_e164_or_none` and the library alone make of numbers, where that is not the same."""
    # The patterns of all regions together are more than the cache of `re` holds.
    phonenumbers.enable_pattern_cache()
    found = []
    for text, region in numbers:
        ours, expected = to_e164_or_none(text, region), _e164_by_library_or_none(text, region)
        if ours != expected:
            found.append(f"{text!r} in {region!r}: {ours}, by the library {expected}")
    return found


def _digits_like(draw: random.Random, example: str) -> str:
    """The example's digits: as they are, with another ending, or with one mistake; or any."""
    chance = draw.random()
    if chance < 0.2:
        return _digits(draw, draw.randint(3, 15))
    kept = draw.randint(1, len(example))
    digits = list(example[:kept] + _digits(draw, len(example) - kept))
    place = draw.randrange(len(digits))
    if chance < 0.3:
        digits[place] = _digits(draw, 1)
    elif chance < 0.4:
        digits[place] += _digits(draw, 1)
    elif chance < 0.5:
        del digits[place]
    return "".join(digits)


def _digits(draw: random.Random, count: int) -> str:
    return "".join(draw.choices("0123456789", k=count))


def _prefix_of(region: str) -> str:
    metadata = PhoneMetadata.metadata_for_region(region)
    return metadata.national_prefix or "" if metadata else ""


def _punctuated(draw: random.Random, number: str) -> str:
    every = draw.randint(2, 5)
    return "".join(
        digit + draw.choice(PUNCTUATION) if place % every == 0 else digit
        for place, digit in enumerate(number)
    )


def _spoilt(draw: random.Random, number: str) -> str:
    chance = draw.random()
    if chance < 0.4:
        return number + draw.choice(AFTER)
    if chance < 0.6:
        zero = ord(draw.choice(ZEROS_OF_OTHER_SCRIPTS))
        return number.translate({ord("0") + digit: zero + digit for digit in range(10)})
    place = draw.randint(0, len(number))
    return number[:place] + draw.choice(WITHIN) + number[place:]
