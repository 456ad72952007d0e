"""Random valid mobiles of many countries, written in the usual ways, and what an import reads.

`python -m tests.support.written_mobiles 1000` reads so many of each country in each way in each
store's country, each cell alone and with the convention of its column, and prints the shares.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberFormat

_COUNTRY_CODES = (
    "AE AL AM AR AT AU BA BD BE BG BR CA CH CL CN CO CY CZ DE DK EE EG ES FI FR GB GE GR HR HU ID "
    "IE IL IN IS IT JP KE KR LB LT LU LV MA MD MX NG NL NO NZ PH PK PL PT RO RS RU SE SG SI TR UA "
    "US ZA"
)
_STORE_CODES = "DE AT GR IT GB US FR ES LU RS"
COUNTRIES = _COUNTRY_CODES.split()
STORES = _STORE_CODES.split()
WAYS = (
    "plus", "zeros", "bare", "national", "spaced", "float", "scientific", "code column",
    "area column",
)  # fmt: skip
# Ways that need the country, so they are written in a store of the same country or with a column.
NATIONAL_WAYS = {"national", "spaced", "code column", "area column"}
MIN_AREA_CODE_DIGITS, MAX_AREA_CODE_DIGITS = 2, 4


class Written(NamedTuple):
    """A cell, the texts of its country and area code columns, and the number that is meant."""

    text: str
    country: str
    phone: str
    area_code: str = ""


def random_mobile(draw: random.Random, region: str) -> phonenumbers.PhoneNumber:
    """A valid mobile number of a region, of any length that its plan allows."""
    metadata = PhoneMetadata.metadata_for_region(region)
    assert metadata is not None and metadata.mobile is not None
    kind = phonenumbers.PhoneNumberType.MOBILE
    example_number = phonenumbers.example_number_for_type(region, kind)
    assert example_number is not None
    example = str(example_number.national_number)
    while True:
        length = draw.choice(metadata.mobile.possible_length)
        kept = example[: draw.randint(0, 4)]
        digits = kept + "".join(draw.choices("0123456789", k=length - len(kept)))
        if digits[0] == "0" and region != "IT":
            continue
        number = phonenumbers.PhoneNumber(metadata.country_code, int(digits))
        if phonenumbers.national_significant_number(number) != digits:
            continue
        if phonenumbers.is_valid_number_for_region(number, region) and phonenumbers.number_type(
            number
        ) in (
            phonenumbers.PhoneNumberType.MOBILE,
            phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
        ):
            return number


class Mobile(NamedTuple):
    """A number in the forms of which all ways of writing it consist."""

    region: str
    code: str
    phone: str
    significant: str
    national: str
    area_code_length: int


def forms_of(number: phonenumbers.PhoneNumber, region: str) -> Mobile:
    """The forms of a number of a region."""
    return Mobile(
        region,
        str(number.country_code),
        phonenumbers.format_number(number, PhoneNumberFormat.E164),
        phonenumbers.national_significant_number(number),
        phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL),
        min(
            max(phonenumbers.length_of_national_destination_code(number), MIN_AREA_CODE_DIGITS),
            MAX_AREA_CODE_DIGITS,
        ),
    )


def written(draw: random.Random, mobile: Mobile, way: str, store: str) -> Written:
    """The number as a file of a store writes it."""
    digits = mobile.phone[1:]
    # A spreadsheet keeps numbers of its own country without their zero.
    as_number = mobile.significant if mobile.region == store else digits
    text = {
        "plus": mobile.phone,
        "zeros": "00" + digits,
        "bare": digits,
        "national": "".join(filter(str.isdecimal, mobile.national)),
        "spaced": mobile.national,
        "float": as_number + ".0",
        "scientific": f"{as_number[0]}.{as_number[1:]}E+{len(as_number) - 1}",
        "code column": mobile.significant,
        "area column": mobile.significant[mobile.area_code_length :],
    }[way]
    country = ""
    if way == "code column":
        country = draw.choice(["+", "", "00"]) + mobile.code
    elif way in NATIONAL_WAYS and mobile.region != store:
        country = draw.choice([mobile.region, mobile.region.lower(), "+" + mobile.code])
    area_code = ""
    if way == "area column":
        zero = "0" if mobile.national.startswith("0") and mobile.region != "IT" else ""
        area_code = draw.choice(["", zero]) + mobile.significant[: mobile.area_code_length]
    return Written(text, country, mobile.phone, area_code)


def columns(count: int, seed: int = 20261126) -> Iterator[tuple[str, str, str, list[Written]]]:
    """Store, country, way and column, for each store, country and way."""
    draw = random.Random(seed)
    numbers = {
        region: [forms_of(random_mobile(draw, region), region) for _ in range(count)]
        for region in COUNTRIES
    }
    for store in STORES:
        for region in COUNTRIES:
            for way in WAYS:
                yield (
                    store,
                    region,
                    way,
                    [written(draw, number, way, store) for number in numbers[region]],
                )


class Outcome(NamedTuple):
    """How many cells of each store and way were read and rejected, and which were read wrong."""

    alone: Counter[tuple[str, str, bool]]
    in_column: Counter[tuple[str, str, bool]]
    wrong: list[str]


def read_all(count: int) -> Outcome:
    """Read so many mobiles of each country in each way in each store, alone and in columns.

    The columns are of one country each, and of all countries together with one way of writing.
    """
    from contacts.importing.area_codes import count_numbers_in_need_of_area_codes
    from contacts.importing.cells import UnusableCell
    from contacts.importing.phone_cells import PhoneReader, detect_phone_convention
    from contacts.importing.phone_readings import PhoneConvention

    def convention_of(column: list[Written], store: str) -> PhoneConvention:
        need = count_numbers_in_need_of_area_codes(
            ((cell.text, cell.country, cell.area_code) for cell in column), store
        )
        if need.in_need:
            return PhoneConvention.UNKNOWN if need.complete else PhoneConvention.LOCAL
        return detect_phone_convention([cell[:2] for cell in column], store)

    outcome = Outcome(Counter(), Counter(), [])

    def read(
        column: list[Written], store: str, way: str, convention: PhoneConvention, *, alone: bool
    ) -> None:
        reader = PhoneReader(store, convention)
        counts = outcome.alone if alone else outcome.in_column
        for cell in column:
            try:
                phone = reader.parse_or_raise_unusable(
                    cell.text, cell.country, cell.area_code
                ).phone
            except UnusableCell:
                counts[store, way, False] += 1
                continue
            counts[store, way, True] += 1
            if phone != cell.phone:
                outcome.wrong.append(f"{cell} in {store}, {way}, {convention!r}: {phone}")

    together: dict[tuple[str, str], list[Written]] = {}
    for store, _, way, column in columns(count):
        together.setdefault((store, way), []).extend(column)
        read(column, store, way, PhoneConvention.UNKNOWN, alone=True)
        convention = convention_of(column, store)
        read(column, store, way, convention, alone=False)
    for (store, way), column in together.items():
        convention = convention_of(column, store)
        read(column, store, way, convention, alone=False)
    return outcome


def table(outcome: Outcome) -> str:
    """The share of cells that were read, in percent, by store and way."""
    lines = [f"{'read, %':10}" + "".join(f"{way:>18}" for way in WAYS)]
    for store in STORES:
        line = f"{store:10}"
        for way in WAYS:
            shares = []
            for counts in (outcome.alone, outcome.in_column):
                good, bad = counts[store, way, True], counts[store, way, False]
                shares.append(f"{100 * good / (good + bad):.1f}")
            line += f"{' / '.join(shares):>18}"
        lines.append(line)
    return "\n".join([*lines, "alone / with the convention of its column; the others are rejected"])


if __name__ == "__main__":
    phonenumbers.enable_pattern_cache()
    result = read_all(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
    print(table(result))
    print(f"{len(result.wrong):,} wrong", *result.wrong[:20], sep="\n")
