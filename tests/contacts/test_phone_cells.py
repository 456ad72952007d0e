"""Cells with phone numbers: the one number that is meant, or a reason."""

import itertools
import json
import random
from pathlib import Path

import phonenumbers
import pytest

from contacts.importing.cells import UnusableCell
from contacts.importing.countries import two_letter_country_or_empty
from contacts.importing.phone_cells import PhoneReader, detect_phone_convention
from contacts.importing.phone_readings import PhoneConvention
from contacts.phones import PhoneKind, phone_kind, to_e164_or_none
from tests.support import phones, written_mobiles

CASES = json.loads((Path(__file__).parents[1] / "data/cases/import/phones.json").read_text())
# Two readings that nothing but the rest of a column could tell apart, and a cell without a number.
READABLE_BUT_REJECTED = {"B18.2", "B01.44"}
# So many of each country, in each way and store; `written_mobiles` says how to read more of them.
MOBILES_OF_A_COUNTRY = 6


def read(text, region, country="", convention=PhoneConvention.UNKNOWN):
    try:
        return PhoneReader(region, convention).parse_or_raise_unusable(text, country).phone
    except UnusableCell as problem:
        return f"rejected: {problem}"


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_cells_of_real_lists(case):
    phone = read(case["text"], case["region"])
    if phone.startswith("rejected"):
        assert None in case["accept"] or case["id"] in READABLE_BUT_REJECTED, phone
    else:
        assert phone in case["accept"]


@pytest.mark.slow
def test_mobiles_written_in_all_ways_are_never_read_as_others():
    phonenumbers.enable_pattern_cache()
    outcome = written_mobiles.read_all(MOBILES_OF_A_COUNTRY)
    assert not outcome.wrong, "\n".join([*outcome.wrong[:20], written_mobiles.table(outcome)])
    for store in written_mobiles.STORES:
        for way in ("plus", "zeros", "national", "spaced", "code column"):
            good, bad = outcome.alone[store, way, True], outcome.alone[store, way, False]
            assert good >= 0.99 * (good + bad), written_mobiles.table(outcome)


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        # The country's own code in front of a mobile, where a long landline is valid, too.
        ("491701234531", "DE", "+491701234531"),
        ("4915112345632", "DE", "+4915112345632"),
        ("436641234504", "AT", "+436641234504"),
        ("352621123456", "LU", "+352621123456"),
        ("381641234567", "RS", "+381641234567"),
        ("6281234567802", "ID", "+6281234567802"),
        # What spreadsheets do.
        ("3471234533.0", "IT", "+393471234533"),
        ("1701234567", "DE", "+491701234567"),
        ("6.900000315E9", "GR", "+306900000315"),
        ('="6944000215"', "GR", "+306944000215"),
        ("'+306944000215", "GR", "+306944000215"),
        ("6,944,000,215", "GR", "+306944000215"),
        # Labels, extensions and programs.
        ("Tél. 06 12 34 56 78", "FR", "+33612345678"),
        ("p:+491701234567", "GR", "+491701234567"),
        ("whatsapp:+491701234567", "GR", "+491701234567"),
        ("https://wa.me/491701234567", "GR", "+491701234567"),
        ("491701234567@c.us", "GR", "+491701234567"),
        ("tel:+49-170-1234567;ext=5", "GR", "+491701234567"),
        ("503-555-0147 #12", "US", "+15035550147"),
        ("Tel 030 1234567 Fax 030 1234568", "DE", "+49301234567"),
        # Several numbers.
        ("M: 6944000215 T: 2101234567", "GR", "+306944000215"),
        ("030 1234567 / 0170 1234567", "DE", "+491701234567"),
        ("6944000215 ::: 2101234567", "GR", "+306944000215"),
        ("6944000215\n2101234567", "GR", "+306944000215"),
        ("6944000215 6944000215", "GR", "+306944000215"),
        # Zeros that are dialled at home only, and codes that are written twice.
        ("+49 (0) 170 / 1234567", "GR", "+491701234567"),
        ("+39 (0)6 12345678", "GR", "+390612345678"),
        ("+30306944000215", "GR", "+306944000215"),
        # Forms of some countries.
        ("+52 1 55 1234 5603", "GR", "+525512345603"),
        ("044 55 1234 5678", "MX", "+525512345678"),
        ("0011 44 7400 123456", "AU", "+447400123456"),
        ("011 44 7400 123456", "US", "+447400123456"),
        ("8 912 345-67-89", "RU", "+79123456789"),
        # Digits and signs of other scripts.
        ("\u202a+30\u00a0694 400 0215\u202c", "DE", "+306944000215"),
        ("٦٩٤٤٠٠٠٢١٥", "GR", "+306944000215"),
        ("\uff0b\uff13\uff10 6944000215", "DE", "+306944000215"),
        # The usual grouping of one reading.
        ("479-223-4567", "US", "+14792234567"),
        ("47 92 23 45 67", "US", "+4792234567"),
    ],
)
def test_one_reading_is_accepted(text, region, expected):
    assert read(text, region) == expected


@pytest.mark.parametrize(
    ("text", "region", "reason"),
    [
        ("4792234567", "US", "it could be +4792234567 or +14792234567"),
        ("33612345678", "DE", "it could be +33612345678 or +4933612345678"),
        ("6944OOO258", "GR", "other words"),
        ("1-800-FLOWERS", "US", "other words"),
        ("(503) 555-CALL", "US", "not a valid"),
        ("6944000215 6944000216", "GR", "several numbers: +306944000215, +306944000216"),
        ("3.06944E+11", "GR", "cut the number short"),
        ("6.94400023E+09", "GR", "cut the number short"),
        ("Fax: 030 1234567", "DE", "fax"),
        ("03.05.1990", "DE", "date"),
        ("20240105", "DE", "date"),
        ("", "DE", "missing"),
        ("  ", "DE", "missing"),
        ("+6944000243", "GR", "not a valid phone number (read as one of GR"),
        ("4900000000000000000", "DE", "not a valid"),
        ("²" * 10, "GR", "not a valid"),
    ],
)
def test_everything_else_is_rejected_with_a_reason(text, region, reason):
    assert reason in read(text, region)


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("0612345678", "FR", "+33612345678"),
        ("0612345678", "France", "+33612345678"),
        ("6641234567", "+43", "+436641234567"),
        ("0170 1234567", "49.0", "+491701234567"),
        ("4792234567", "1", "+14792234567"),
        ("+33612345678", "Austria", "+33612345678"),
        ("0170 1234567", "-", "+491701234567"),
        ("0170 1234567", "AT", "rejected: it could be +431701234567 or +491701234567"),
        ("0612345678", "Narnia", "rejected: the row's country Narnia is not known"),
        ("33612345678", "GB", "+33612345678"),
    ],
)
def test_the_row_says_its_country(text, country, expected):
    assert read(text, "DE", country).startswith(expected)


@pytest.mark.parametrize(
    ("cells", "region", "convention", "text", "expected"),
    [
        (["306944000201", "491701234567"], "DE", "international", "33612345678", "+33612345678"),
        (["1701234567", "1711234567"], "DE", "national", "33612345678", "+4933612345678"),
        (["1701234567", "306944000201"], "DE", "", "33612345678", "rejected"),
        (["0151 23456771", "491701234567"], "DE", "", "15123456774", "rejected"),
        (["0049 151 23456771", "491701234567"], "DE", "international", "33612345678", "+336123"),
        (["(503) 555-0142", "5035550143"], "US", "national", "4792234567", "+14792234567"),
        (["+4792234567", "33612345678", "", "n/a"], "DE", "", "33612345678", "rejected"),
        (["8613800138002"], "CN", "international", "15035550142", "+15035550142"),
        (["138 0013 8001"], "CN", "national", "15035550142", "+8615035550142"),
    ],
)
def test_the_other_cells_of_a_column_decide(cells, region, convention, text, expected):
    found = detect_phone_convention([(cell, "") for cell in cells], region)
    assert found == convention
    assert read(text, region, convention=found).startswith(expected)


def test_countries_by_name_and_code():
    spellings = {
        "GB": "UK gb GBR England +44 0044 Großbritannien Royaume-Uni 44.0 en_GB",
        "GR": "GR Greece Hellas ΕΛΛΑΔΑ Ελλάδα Griechenland Grèce Grecia EL +30",
        "DE": "D Germany Deutschland Allemagne Alemania Germania Γερμανία",
        "AT": "Austria Österreich Autriche Αυστρία",
        "US": "USA us 1 +1 001 U.S.A.",
        "AS": "+1-684",
    }
    for region, words in spellings.items():
        for word in words.split():
            assert two_letter_country_or_empty(word) == region, word
    assert (
        two_letter_country_or_empty("United Kingdom")
        == two_letter_country_or_empty("Reino Unido")
        == "GB"
    )
    assert (
        two_letter_country_or_empty("Germany (DE)") == "DE"
        and two_letter_country_or_empty("GR - Greece") == "GR"
    )
    for word in ("", "xx", "Narnia", "US/CA", "999", "+"):
        assert two_letter_country_or_empty(word) == "", word


def test_a_list_of_numbers_not_to_message_means_every_number():
    reader = PhoneReader("DE")
    assert reader.find_all_possible_numbers("0170 1234567 (opted out)") == ["+491701234567"]
    assert reader.find_all_possible_numbers("0170 1234567, 030 1234567") == [
        "+491701234567",
        "+49301234567",
    ]
    assert reader.find_all_possible_numbers("0170 1234567 0170 1234568 0170 1234569") == [
        "+491701234567",
        "+491701234568",
        "+491701234569",
    ]
    assert "+4969567800" in reader.find_all_possible_numbers("069 1234 069 567800")
    assert reader.find_all_possible_numbers("33612345678") == ["+33612345678", "+4933612345678"]
    assert (
        reader.find_all_possible_numbers("stop 12.05.2024")
        == reader.find_all_possible_numbers("")
        == []
    )
    assert PhoneReader("GR").find_all_possible_numbers("6944OOO258") == []


@pytest.mark.slow
def test_usual_cells_are_read_as_closely_looked_at_ones(monkeypatch):
    draw = random.Random(20261127)
    cells = [phones.random_number(draw) for _ in range(3000)]
    for region in written_mobiles.COUNTRIES:
        number = written_mobiles.random_mobile(draw, region)
        mobile = written_mobiles.forms_of(number, region)
        for way in written_mobiles.WAYS:
            store = draw.choice([region, *written_mobiles.STORES])
            cells.append((written_mobiles.written(draw, mobile, way, store).text, store))
    cells = [(text, region) for text, region in cells if region not in phones.NO_REGIONS]
    usual = [read(text, region).partition(":")[0] for text, region in cells]
    monkeypatch.setattr(PhoneReader, "_parse_plain_or_none_raise_if_unclear", lambda *_: None)
    assert usual == [read(text, region).partition(":")[0] for text, region in cells]


@pytest.mark.slow
def test_kinds_are_those_of_the_library():
    kinds = {
        phonenumbers.PhoneNumberType.MOBILE: PhoneKind.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE: PhoneKind.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE: PhoneKind.LANDLINE,
    }
    draw = random.Random(20261126)
    phonenumbers.enable_pattern_cache()
    for text, region in (phones.random_number(draw) for _ in range(5000)):
        phone = to_e164_or_none(text, region)
        if phone:
            kind = phonenumbers.number_type(phonenumbers.parse(phone))
            assert phone_kind(phone) == kinds.get(kind, PhoneKind.OTHER), phone


def test_odd_cells_take_no_time():
    for text in (
        "x1" * 15_000,
        "6" + " " * 30_000 + "9",
        "x" * 30_000,
        "1 " * 10_000,
        "(" * 30_000,
        "+" * 30_000,
    ):
        assert read(text, "GR").startswith("rejected")
        assert PhoneReader("GR").find_all_possible_numbers(text) == []


@pytest.mark.parametrize(
    ("region", "text"),
    [
        ("GR", "66977254320"),  # the 6 twice: also a Thai mobile
        ("GR", "690363122"),  # a digit lost: also of Tokelau
        ("ES", "6777334107"),
        ("IT", "33766731021"),
    ],
)
def test_a_mistyped_number_of_the_country_is_no_foreign_one(region, text):
    with pytest.raises(UnusableCell):
        PhoneReader(region).parse_or_raise_unusable(text)
    with pytest.raises(UnusableCell):
        PhoneReader(region, PhoneConvention.NATIONAL).parse_or_raise_unusable(text)


@pytest.mark.parametrize(("region", "text"), [("GR", "980519266"), ("ES", "67259356")])
def test_digits_are_not_changed_to_make_a_foreign_number(region, text):
    for convention in PhoneConvention:
        with pytest.raises(UnusableCell):
            PhoneReader(region, convention).parse_or_raise_unusable(text)


@pytest.mark.parametrize(
    "national", ["0151 23456704", "(0151) 2345 6704", "[0151] 23456704", "/0151/23456704"]
)
def test_a_column_that_writes_numbers_in_both_ways_decides_nothing(national):
    cells = ["4915123456702", "4.915123456702E+12", national]
    for order in itertools.permutations(cells):
        convention = detect_phone_convention([(cell, "") for cell in order], "DE")
        assert convention == PhoneConvention.UNKNOWN
    with pytest.raises(UnusableCell, match=r"\+15123456701 or \+4915123456701"):
        PhoneReader("DE", PhoneConvention.UNKNOWN).parse_or_raise_unusable("1512345 6701")


def test_a_column_of_international_numbers_without_plus_is_read_as_such():
    reader = PhoneReader("GR", PhoneConvention.INTERNATIONAL)
    assert reader.parse_or_raise_unusable("447400123456").phone == "+447400123456"
