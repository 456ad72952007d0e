"""The price that a preview shows is the price that is charged."""

import itertools
import unicodedata

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from astronote.accounts.eligibility import SendingBlocked
from campaigns import enqueue, preview
from campaigns.models import Campaign, CampaignMessage
from campaigns.preview import preview_campaign
from contacts.marketing_blocks import wait_for_sends_and_suppress_phones
from contacts.models import Contact, List, ListMembership
from messaging import sending
from messaging.gsm_text import (
    count_characters_outside_gsm,
    replace_outside_gsm_in_template,
    replace_outside_gsm_where_possible,
)
from messaging.models import CreditReservation, CreditTransaction, MessageTemplate, Wallet
from messaging.text import count_parts, sms_encoding
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
numbers = itertools.count()


def send_all():
    while sending.process_next_batch() != "none due":
        pass


def charged(store):
    debits = CreditTransaction.objects.filter(owner=store, type="debit")
    return sum(debits.values_list("amount", flat=True))


def list_of_names(store, *names, **fields):
    target = make_list(store, len(names), **fields)
    for contact, name in zip(
        Contact.objects.filter(owner=store).order_by("pk"), names, strict=True
    ):
        Contact.objects.filter(pk=contact.pk).update(first_name=name)
    return target


NAMES = st.one_of(
    st.sampled_from(
        [
            "",
            "N/A",
            "-",
            "NULL",
            "Ann",
            "Γιώργος",
            "O’Brien",
            "Zoe\u0301",
            "李",
            "😀",
            "Maria\nPapa",
            "Ann\u200b",
            "{{first_name}}",
            "\u200f\u05de\u05e8\u05d9\u05dd",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40),
)
PHONES = st.sampled_from(["+30690000000", "+30690000000", "+30210123456"])  # with a digit more
PIECES = st.sampled_from(
    ["{{first_name}}", "{{ First Name | φίλε μου }}", "{{last_name}}", "{{email|-}}", ", ", " ",
     "\n", "Γεια σου", "Hello", "Έκπτωση 50%", "€", "“", "’", "–", "e\u0301", "👉", "x" * 60,
     "https://shop.example/sale?n={{first_name}}", "https://café.example/été", "(https://a.gr/b)",
     "https://shop.example/a/very/long/address/of/an/offer?utm_source=sms", " {{offer_link}} ",
     "www.shop.gr/hi?n={{first_name}}", " shop.gr/a/very/long/address/of/προσφορά",
     " {{unsubscribe_link}} ", "[ok]"]
)  # fmt: skip


@pytest.mark.slow
@given(
    pieces=st.lists(PIECES, min_size=1, max_size=8),
    contacts=st.lists(st.tuples(NAMES, NAMES, PHONES), min_size=1, max_size=6),
    store_fields=st.fixed_dictionaries(
        {"writes_greek_in_capitals": st.booleans(), "sends_to_any_number": st.booleans()}
    ),
    message_type=st.sampled_from(["marketing", "service"]),
    offer=st.sampled_from(["", "https://shop.example/προσφορά"]),
)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_price_shown_is_the_price_charged(
    pieces, contacts, store_fields, message_type, offer, sandbox
):
    store = make_store(f"store{next(numbers)}", balance=1000, **store_fields)
    target = List.objects.create(owner=store, name="all")
    for number, (first, last, prefix) in enumerate(contacts):
        contact = Contact.objects.create(
            owner=store,
            phone=f"{prefix}{number}",
            first_name=first.replace("\0", ""),
            last_name=last.replace("\0", ""),
            is_subscribed=True,
        )
        ListMembership.objects.create(list=target, contact=contact)
    wait_for_sends_and_suppress_phones(store.pk, ["+306900000001"], reason="test")
    campaign = make_campaign(
        store, target, message_text="".join(pieces), message_type=message_type, offer_url=offer
    )
    seen = preview_campaign(Campaign.objects.get(pk=campaign.pk))
    try:
        enqueue.enqueue_campaign(campaign.pk)
    except SendingBlocked:
        assert seen.problem
        return
    held = sum(CreditReservation.objects.filter(owner=store).values_list("amount", flat=True))
    send_all()
    assert (seen.credits, seen.credits_error) == (held, 0) == (charged(store), 0)
    sent = CampaignMessage.objects.filter(campaign=campaign, status="sent")
    assert seen.recipients == sent.count()
    for message in sent:
        assert message.segments == count_parts(message.text)


def test_names_that_need_unicode_are_in_the_price(sandbox):
    store = make_store()
    target = list_of_names(store, "Ann", "Bob", "Γιώργος")
    campaign = make_campaign(store, target, message_text="Hi {{first_name}}, " + "x" * 100)
    seen = preview_campaign(campaign)
    assert [tuple(count) for count in seen.spread] == [(1, 2), (3, 1)]
    assert seen.credits == 5
    assert (seen.unicode.signs, seen.unicode.names) == ({}, 1)
    enqueue.enqueue_campaign(campaign.pk)
    send_all()
    assert charged(store) == 5


def test_typographic_signs_are_named_with_what_they_cost():
    store = make_store()
    text = "“Spring” – today’s offers… {{first_name|you}} " + "x" * 60
    seen = preview_campaign(make_campaign(store, make_list(store, 4), message_text=text))
    assert seen.encoding == "UCS-2" and seen.credits == 12
    assert seen.unicode.signs == {"“": 1, "”": 1, "–": 1, "’": 1, "…": 1}
    assert (seen.unicode.saved, seen.unicode.names) == (8, 0)
    assert seen.unicode.text == '"Spring" - today\'s offers... {{first_name|you}} ' + "x" * 60
    other = preview_campaign(
        make_campaign(store, List.objects.get(), message_text=seen.unicode.text)
    )
    assert (other.encoding, other.credits, other.unicode) == ("GSM-7", 4, None)


def test_what_is_wrong_with_the_text_is_said_before_what_the_store_lacks():
    store = make_store(billing_hold=True)
    campaign = make_campaign(store, make_list(store, 2), message_text="-XX% today")
    assert preview_campaign(campaign).problem.startswith("-XX% is sent as it is written")


def test_greek_is_offered_in_capitals_where_the_store_allows_it_and_names_follow(sandbox):
    text = "Καλημέρα {{first_name}}, μόνο σήμερα έκπτωση 50% σε όλα τα παπούτσια μας!"
    for allows, name in ((False, "alice"), (True, "bob")):
        store = make_store(name, writes_greek_in_capitals=allows)
        target = list_of_names(store, "Γιώργος", "Ann")
        seen = preview_campaign(make_campaign(store, target, message_text=text))
        assert seen.credits == 4
        if not allows:
            assert seen.unicode.text == ""
            continue
        assert seen.unicode.saved == 2
        assert seen.unicode.text == (
            "KAΛHMEPA {{first_name}}, MONO ΣHMEPA EKΠTΩΣH 50% ΣE OΛA TA ΠAΠOYTΣIA MAΣ!"
        )
        campaign = make_campaign(store, target, message_text=seen.unicode.text)
        enqueue.enqueue_campaign(campaign.pk)
        send_all()
        assert charged(store) == 2
        sent = CampaignMessage.objects.order_by("pk").values_list("text", flat=True)
        assert sent[0].startswith("KAΛHMEPA ΓIΩPΓOΣ,") and sent[1].startswith("KAΛHMEPA Ann,")


@pytest.mark.parametrize(
    ("text", "plain"),
    [("Ώρα για “καφέ”", 'ΩPA ΓIA "KAΦE"'), ("ΐ ΰ ς", "I Y Σ"), ("GSM @£ é ΓΔ", "GSM @£ é ΓΔ"),
     ("ж 😀", "ж 😀"), ("a\u00a0b\u200bc", "a bc"), ("Ann’s Café", "Ann's Café")],
)  # fmt: skip
def test_a_text_in_the_gsm_alphabet(text, plain):
    assert replace_outside_gsm_where_possible(text, greek_capitals=True) == plain


def test_addresses_and_tags_stay_while_defaults_are_rewritten():
    text = "Γεια {{first_name|φίλε}} https://shop.gr/προσφορές “{{offer_link}}”"
    assert replace_outside_gsm_in_template(text, greek_capitals=True) == (
        'ΓEIA {{first_name|ΦIΛE}} https://shop.gr/προσφορές "{{offer_link}}"'
    )
    assert count_characters_outside_gsm("αα’€") == {"α": 2, "’": 1}


def test_who_would_read_a_gap_is_counted_and_shown():
    store = make_store()
    target = list_of_names(store, "Ann", "", "N/A", "-", "Bob")
    seen = preview_campaign(make_campaign(store, target, message_text="Hi {{first_name}}, sale"))
    assert (seen.without_value, seen.text_without_value.split("\n")[0]) == (3, "Hi, sale")
    seen = preview_campaign(
        make_campaign(store, target, message_text="Hi {{first_name|there}}, sale")
    )
    assert seen.without_value == 0


def test_decomposed_texts_and_names_are_stored_composed_and_cost_no_more(sandbox):
    apart = lambda text: unicodedata.normalize("NFD", text)  # noqa: E731
    store = make_store(company=apart("Café"))
    store.refresh_from_db()
    assert store.company == "Café"
    target = list_of_names(store, apart("Zoé"))
    assert Contact.objects.get().first_name == "Zoé"
    assert Contact.objects.filter(first_name=apart("Zoé")).exists()
    template = MessageTemplate.objects.create(owner=store, name="x", text=apart("é"))
    template.refresh_from_db()
    assert template.text == "é"
    campaign = make_campaign(
        store, target, message_text=apart("Café für {{first_name}} ") + "x" * 90
    )
    assert preview_campaign(campaign).credits == 1
    campaign.refresh_from_db()
    assert campaign.message_text.startswith("Café für")
    enqueue.enqueue_campaign(campaign.pk)
    assert sms_encoding(CampaignMessage.objects.get().text) == "GSM-7"


@pytest.mark.slow
def test_a_sample_of_a_large_audience_says_its_error(monkeypatch):
    store = make_store(balance=10_000)
    target = make_list(store, 3000)
    Contact.objects.filter(phone__endswith="7").update(first_name="Γιώργος " * 10)
    campaign = make_campaign(store, target, message_text="Hello {{first_name}}")
    exact = preview_campaign(campaign)
    assert (exact.credits, exact.credits_error) == (2700 + 300 * 3, 0)
    monkeypatch.setattr(preview, "MAX_COUNTED", 1000)
    monkeypatch.setattr(preview, "SAMPLE_SIZE", 1000)
    seen = preview_campaign(campaign)
    assert 0 < seen.credits_error < 150
    assert abs(seen.credits - exact.credits) <= 2 * seen.credits_error
    assert sum(count.recipients for count in seen.spread) == pytest.approx(3000, abs=2)


def test_a_preview_writes_nothing_but_the_wallet():
    store = make_store(balance=0)
    campaign = make_campaign(store, make_list(store, 2), message_text="https://a.gr/" + "a" * 90)
    preview_campaign(campaign)
    assert not CampaignMessage.objects.exists()
    assert Wallet.objects.get().balance == 0


def test_a_preview_says_where_each_link_leads():
    store = make_store()
    campaign = make_campaign(
        store,
        make_list(store, 1),
        message_text="See shop.gr/προσφορές, https://shop.example/sale,only and {{offer_link}}",
        offer_url="https://shop.example/offer",
    )
    assert [tuple(link) for link in preview_campaign(campaign).links] == [
        ("shop.gr/προσφορές", "http://shop.gr/%CF%80%CF%81%CE%BF%CF%83%CF%86%CE%BF%CF%81%CE%AD%CF%82"),
        ("https://shop.example/sale,only", "https://shop.example/sale,only"),
        ("{{offer_link}}", "https://shop.example/offer"),
    ]  # fmt: skip


def test_an_offered_text_keeps_its_links():
    store = make_store()
    link = "https://www.shop.example.com/black-friday"
    text = f"“Shop” “{link}”… More – it’s “today” " + "x" * 60
    seen = preview_campaign(make_campaign(store, make_list(store, 2), message_text=text))
    other = make_campaign(store, List.objects.get(), message_text=seen.unicode.text)
    assert preview_campaign(other).links == seen.links


def test_parts_are_counted_with_short_links():
    store = make_store()
    target = make_list(store, 1)
    text = "a" * 1480 + " https://shop.example/" + "b" * 200
    campaign = make_campaign(store, target, message_text=text, message_type="service")
    assert preview_campaign(campaign).problem == ""
    enqueue.enqueue_campaign(campaign.pk)
    assert CampaignMessage.objects.get().segments == 10


def command(store, **options):
    call_command("send_campaign", store.email, name="x", text="Hi", list_name="regulars", **options)


@pytest.mark.parametrize(
    ("offer", "hint"),
    [("https://shop.gr/{{first_name}}", "has no tags"), ("https://shοp.gr/a", "two alphabets"),
     ("https://shop..gr/a", "URL")],
)  # fmt: skip
def test_an_offer_address_that_leads_nowhere_is_refused(offer, hint):
    store = make_store()
    target = make_list(store, 1, name="regulars")
    with pytest.raises(CommandError, match=hint):
        command(store, offer=offer)
    campaign = make_campaign(store, target, message_text="Hi", offer_url=offer)
    with pytest.raises(enqueue.CannotStart):
        enqueue.enqueue_campaign(campaign.pk)


def test_an_offer_address_loses_spaces_and_what_nobody_sees():
    store = make_store()
    make_list(store, 1, name="regulars")
    command(store, offer=" https://shop.example/a\u200bb\u00ad ")
    assert Campaign.objects.get().offer_url == "https://shop.example/ab"


@pytest.mark.parametrize("at", ["2026-12-24", "24/12/2026 09:00", "tomorrow", "20261224"])
def test_a_start_without_a_time_is_refused_with_the_wanted_form(at):
    store = make_store()
    make_list(store, 1, name="regulars")
    with pytest.raises(CommandError, match="write it as 2026-12-24 09:00"):
        call_command(
            "send_campaign", store.email, "--name=x", "--text=Hi", "--list=regulars", f"--at={at}"
        )
    assert not Campaign.objects.exists()
