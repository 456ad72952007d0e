"""Finding contacts as people remember them."""

import pytest

from contacts.models import Contact
from contacts.search import search_contacts_by_beginnings
from tests.support.factories import make_contact, make_store
from tests.support.volume import make_contacts

pytestmark = pytest.mark.django_db


@pytest.fixture
def store():
    store = make_store(phone_region="GR")
    for phone, first, last, email in (
        ("+306912345701", "Γιώργος", "Φούρναρης", "g.fournaris@example.com"),
        ("+306912345702", "Chloé", "O'Neil-Müller", "chloe@example.org"),
        ("+491711234567", "Bob", "", ""),
        ("+306912345704", "Μαρία", "ΠΑΠΑΔΟΠΟΎΛΟΥ", ""),
    ):
        make_contact(store, phone, first_name=first, last_name=last, email=email)
    return store


@pytest.mark.parametrize(
    ("text", "found"),
    {
        "Bob": ["Bob"], "bo": ["Bob"], "ob": [],
        "φουρ": ["Γιώργος"], "ΦΟΎΡΝΑΡΗΣ": ["Γιώργος"], "γιωργος φουρ": ["Γιώργος"],
        "chloe": ["Chloé"], "muller": ["Chloé"], "neil chl": ["Chloé"], "neil bob": [],
        "παπαδοπουλου": ["Μαρία"], "g.fournaris@ex": ["Γιώργος"], "fournaris": ["Γιώργος"],
        "6912345701": ["Γιώργος"], "691 234 57": ["Γιώργος", "Chloé", "Μαρία"],
        "+30 691-2345702": ["Chloé"], "0030 6912345704": ["Μαρία"], "+49171": ["Bob"],
        "(691) 234.5702": ["Chloé"], "69123457010": [], "!": [], "a' | b:* & (": [],
        "": ["Γιώργος", "Chloé", "Bob", "Μαρία"],
    }.items(),
)  # fmt: skip
def test_a_contact_is_found_by_what_one_remembers(store, text, found):
    names = search_contacts_by_beginnings(Contact.objects.order_by("pk"), text)
    assert list(names.values_list("first_name", flat=True)) == found


@pytest.mark.slow
def test_a_search_reads_the_index_and_not_the_table(store):
    make_contacts(store, 20_000)
    found = search_contacts_by_beginnings(Contact.objects.order_by("-pk"), "name199")
    assert found.count() == 20
    assert "contact_search" in found.explain()
