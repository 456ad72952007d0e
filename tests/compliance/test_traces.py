"""A person is found in texts however number, address and name are written, and nobody else is."""

import pytest
from django.db import connection

from compliance.traces import MASK, Traces

PHONE = "+306900000001"


@pytest.fixture
def traces():
    return Traces(PHONE, ["Maria.P+shop@example.com"], [("Μαρία", "Παπαδοπούλου"), ("Jo", "Ng")])


def found_by_postgresql(traces, text):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text ~ %s", [text, traces.sql_pattern])
        return cursor.fetchone()[0]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [
        "+306900000001",
        "306900000001",
        "00306900000001",
        "6900000001",
        "06900000001",
        "call 690 000 0001 now",
        "690-000-0001",
        "(690) 000.00.01",
        "+30 (0) 690 000 0001",
        "+30 690\u00a0000\u20110001",
        "٦٩٠٠٠٠٠٠٠١",
        "６９０００００００１",
        "list_6900000001_old.csv",
        "tel:+306900000001;ext=5",
        r"690\n0000001",
        "wa.me/306900000001?text=hi",
        "maria.p+shop@example.com",
        "<MARIA.P+SHOP@EXAMPLE.COM>",
        "Μαρία Παπαδοπούλου",
        "ΠΑΠΑΔΟΠΟΥΛΟΥ, ΜΑΡΙΑ",
        "μαρια_παπαδοπουλου.xlsx",
        "Μαρι\u0301α  Παπαδοπούλου",
        "for jo ng: hello",
        "export_Jo-Ng_2024.csv",
    ],
)
def test_a_text_that_names_the_person_is_found_and_masked(traces, text):
    assert traces.are_in(text)
    assert found_by_postgresql(traces, text), "PostgreSQL must not overlook it"
    masked = traces.mask_person_in(text)
    assert MASK in masked
    assert not traces.are_in(masked)


@pytest.mark.parametrize(
    "text",
    [
        "+306900000002",
        "16900000001",
        "69000000012",
        "+49 6900000001",
        "0049 690 0000001",
        "+49 (0)690 0000001",
        "maria.pp+shop@example.com",
        "not-maria.p+shop@example.com.gr",
        "xmaria.p+shop@example.com",
        "Μαρία",
        "Παπαδοπούλου",
        "Joe Ng",
        "banjo nginx",
        "Jo, who is called Ng",
        "2024-05-01 00000001",
        "",
    ],
)
def test_a_text_that_names_somebody_else_is_left(traces, text):
    assert not traces.are_in(text)
    assert traces.mask_person_in(text) == text


def test_json_is_searched_and_masked_at_any_depth(traces):
    value = {
        "a": [{"to": 306900000001, "note": ["x", "call 690 000 0001"]}],
        "+306900000001": True,
        "name": ["ng", "JO"],
        "other": {"to": "+306900000002", "count": 5, "share": 0.5, "none": None},
    }
    assert traces.are_in(value)
    assert traces.mask_person_in(value) == {
        "a": [{"to": MASK, "note": ["x", f"call {MASK}"]}],
        MASK: True,
        "name": [MASK, MASK],
        "other": {"to": "+306900000002", "count": 5, "share": 0.5, "none": None},
    }
    assert not traces.are_in(traces.mask_person_in(value))
    for one in ([306900000001], {"x": {"y": ["+30 690 000 0001"]}}, {"6900000001": 1}):
        assert traces.are_in(one)


def test_the_last_digits_tell_where_they_are_all_there_is(traces):
    assert traces.is_phone_or_its_last_digits("00000001")
    assert traces.are_in(["00000001", "x"])
    assert not traces.are_in("order 00000001 was paid")
    assert not traces.is_phone_or_its_last_digits("0000001")


def test_where_only_the_number_is_asked_for_names_and_addresses_stay(traces):
    text = "Jo Ng, maria.p+shop@example.com, 6900000001"
    assert (
        traces.mask_person_in(text, number_only=True) == f"Jo Ng, maria.p+shop@example.com, {MASK}"
    )
    assert not traces.are_in("Jo Ng", number_only=True)


def test_one_name_alone_tells_nobody():
    traces = Traces(PHONE, [""], [("Maria", ""), ("", "Papadopoulou"), ("M", "Papadopoulou")])
    assert not traces.are_in("Maria Papadopoulou")


@pytest.mark.parametrize(
    ("phone", "text"),
    [
        ("+447400123456", "07400 123456"),
        ("+447400123456", "+44 (0)7400 123456"),
        ("+79123456789", "8 912 345-67-89"),
        ("+12015550123", "(201) 555-0123"),
        ("+12015550123", "1-201-555-0123"),
        ("+36201234567", "06 20 123 4567"),
        ("+4915112345678", "0151/12345678"),
        ("+3545551234", "555 1234"),
        ("+376312345", "00376 312 345"),
        ("+21690000001", "21690000001"),
        ("+2105550001", "+210 555 00 01"),
    ],
)
@pytest.mark.django_db
def test_numbers_of_other_countries_are_found_as_they_are_dialled_at_home(phone, text):
    traces = Traces(phone)
    assert traces.are_in(text) and found_by_postgresql(traces, text)
    assert not traces.are_in(traces.mask_person_in(text))


def test_a_few_digits_without_a_calling_code_may_be_anything():
    traces = Traces("+376312345")
    assert not traces.are_in("order 312345")
    assert traces.is_phone_or_its_last_digits("312345"), "unless a cell holds nothing else"
    assert traces.mask_person_in("call +376 312345") == f"call {MASK}"
