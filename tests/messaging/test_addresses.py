"""Addresses in texts: where they end, and where their links lead."""

import json
import unicodedata
from pathlib import Path
from urllib.parse import unquote, urlsplit

import idna
import pytest
from yarl import URL

from campaigns import enqueue
from campaigns.models import CampaignMessage
from contacts.models import Contact
from messaging import links, opt_in_secrets
from messaging.addresses import (
    add_http_if_no_scheme,
    clean_address,
    find_hosts_and_email_addresses,
    find_web_addresses_except_bare_hosts,
    to_ascii_url_keeping_tags,
)
from messaging.batch_writing import generate_tracking_ids
from messaging.gsm_text import replace_outside_gsm_in_template
from messaging.links import OwnedText, create_links_and_shorten_long_urls
from messaging.models import ShortLink
from messaging.text import Template, text_problem_or_empty
from tests.support.factories import make_campaign, make_contact, make_list, make_store
from tests.support.shop_addresses import shop_addresses

CASES = json.loads((Path(__file__).parents[1] / "data" / "links" / "targets.json").read_text())
TEXTS_OF_SHOPS = json.loads(
    (Path(__file__).parents[1] / "data" / "links" / "texts_of_shops.json").read_text()
)
AGENT = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) Mobile/15E148"}
SURROUNDINGS = ("{}", "See {} now", "({})", "“{}”", "{}.", "Tap {}👉", "«{}»…", "{}!?", "{}\nBye")


def target_of(address, client):
    """Where an address in a sent text leads: by its short link, or by itself."""
    base, _, code = address.partition("/s/")
    if not code or base != links.short_url("").removesuffix("/s/"):
        return address
    answer = client.get(f"/s/{code}", headers=AGENT)
    assert answer.status_code == 302
    return answer["Location"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("case", CASES, ids=[case["text"] for case in CASES])
@pytest.mark.parametrize("base", ["https://a.gr", "https://a-long-name-of-ours.example.org/sms"])
def test_addresses_in_a_text_lead_where_they_said(case, base, client, settings):
    settings.PUBLIC_WEB_BASE_URL = base
    store = make_store()
    target = make_list(store, 1)
    Contact.objects.update(**case.get("for", {}))
    enqueue.enqueue_campaign(
        make_campaign(store, target, message_text=case["text"], message_type="service").pk
    )
    text = CampaignMessage.objects.get().text
    expected = case["leads to"] if isinstance(case["leads to"], list) else [case["leads to"]]
    found = [
        target_of(address.written, client) for address in find_web_addresses_except_bare_hosts(text)
    ]
    assert found == expected


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_thousand_addresses_of_shops_in_ten_countries_lead_where_they_said(client):
    addresses = shop_addresses()
    assert len(set(addresses)) == len(addresses) >= 1000
    store = make_store()
    texts = {
        number: SURROUNDINGS[number % len(SURROUNDINGS)].format(address)
        for number, address in enumerate(addresses)
    }
    sent = create_links_and_shorten_long_urls(
        {number: OwnedText(store.pk, None, text) for number, text in texts.items()}
    )
    for number, address in enumerate(addresses):
        before, after = texts[number].split(address)
        link = sent[number].removeprefix(before).removesuffix(after)
        target = target_of(link, client)
        assert target.isascii() and not any(sign in target for sign in ' "<>\\^`{|}[]'), target
        host = urlsplit(target).hostname
        assert idna.decode(host) if "xn--" in host else host == urlsplit(address).hostname
        assert unquote(urlsplit(target).path) == unquote(urlsplit(address).path)
        assert URL(target) == URL(address), "as another library reads both"


def test_no_address_of_a_shop_is_a_problem():
    problems = [text_problem_or_empty(f"See {address} now") for address in shop_addresses()]
    assert not any(problems)


@pytest.mark.parametrize("case", TEXTS_OF_SHOPS, ids=[case["text"] for case in TEXTS_OF_SHOPS])
def test_texts_as_shops_of_ten_countries_write_them_stop_or_lead_where_they_say(case):
    """`right` is `stop`, or where the addresses of the text lead."""
    if case["right"] == "stop":
        assert text_problem_or_empty(case["text"])
        return
    assert not text_problem_or_empty(case["text"])
    found = find_web_addresses_except_bare_hosts(case["text"])
    targets = [to_ascii_url_keeping_tags(add_http_if_no_scheme(one.written)) for one in found]
    assert targets == [add_http_if_no_scheme(address) for address in case["right"]]


@pytest.mark.parametrize(
    "mark",
    [
        *".,;:!?)]}'\"*»«”“’…›👉–",
        ").",
        "!!!",
        "?!",
        ")!",
        ' "',
        "…”",
        "👉🏽",
        "™",
        "\u200b",
        "\ufe0f",
        "·",
        "··· τώρα",
        "\u0387\n",
        "`",
        " –",
    ],
)
def test_what_follows_an_address_is_no_part_of_it(mark):
    [address] = find_web_addresses_except_bare_hosts(f"See https://shop.example/a{mark}")
    assert address.written == "https://shop.example/a"


@pytest.mark.parametrize(
    "before",
    [
        "εδώ",
        "here",
        "20%off",
        "=",
        "|",
        "~",
        "$",
        "+",
        "`",
        "->",
        "❤️",
        "➡️",
        "\u200b",
        "{{first_name}}",
    ],
)
def test_an_address_begins_with_its_scheme_whatever_is_before_it(before):
    [address] = find_web_addresses_except_bare_hosts(f"See {before}https://shop.example/a now")
    assert address.written == "https://shop.example/a"


def test_emphasis_and_a_word_with_a_colon_are_no_part_of_an_address():
    text = "_https://a.example/x_ ~https://b.example/y~ T&C:shop.gr/terms στο:shop.gr/όροι"
    found = [address.written for address in find_web_addresses_except_bare_hosts(text)]
    assert found == [
        "https://a.example/x", "https://b.example/y", "shop.gr/terms", "shop.gr/όροι"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["Skroutz.gr/BestPrice.gr/e-shop.gr", "Zalando.de/AboutYou.de/Otto.de-Kunden: 10%",
     "festivi.Info/prenotazioni-e-ordini", "mailto:me@shop.gr"],
)  # fmt: skip
def test_words_that_are_no_address_stay(text):
    assert find_web_addresses_except_bare_hosts(text) == []


@pytest.mark.parametrize(
    ("text", "sent", "target"),
    [("Δες https://www.shop.example.com/pros\u00adfores/1 τώρα", "Δες {} τώρα", "prosfores/1"),
     ("Δες https://\u200bwww.shop.example.com/a\u2060b\ufeff, τώρα", "Δες {}, τώρα", "ab"),
     ("❤️https://www.shop.example.com/abc❤️", "❤️{}❤️", "abc"),
     ("https://www.shop.example.com/abc\ufe0f now", "{} now", "abc"),
     ("\u200ehttps://www.shop.example.com/abc\u200f ok", "\u200e{}\u200f ok", "abc"),
     ("https://www.shop.example.com/نیم\u200cفاصله", "{}", "%D9%86%DB%8C%D9%85%E2%80%8C"
      "%D9%81%D8%A7%D8%B5%D9%84%D9%87")],
)  # fmt: skip
@pytest.mark.django_db(transaction=True)
def test_invisible_characters_are_no_part_of_an_address(text, sent, target, client, settings):
    settings.PUBLIC_WEB_BASE_URL = "https://a.gr"
    [written] = create_links_and_shorten_long_urls(
        {0: OwnedText(make_store().pk, None, text)}
    ).values()
    link = ShortLink.objects.get()
    assert written == sent.format(links.short_url(link.short_code))
    assert link.target_url == f"https://www.shop.example.com/{target}"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("https://shop.gr/?a=1&amp;b=2", "https://shop.gr/?a=1&b=2"),
     ("https://shop.gr/?a=1&#38;b=2&AMP;c", "https://shop.gr/?a=1&b=2&c"),
     ("https://shop.gr/?a&amp;", "https://shop.gr/?a&"),
     ("https://shop.gr/black\u2011friday", "https://shop.gr/black-friday"),
     ("my\u2010shop.gr/a", "my-shop.gr/a"), ("https://shop.gr/𝗦𝗮𝗹𝗲_𝟮𝟬", "https://shop.gr/Sale_20"),
     ("𝗵𝘁𝘁𝗽𝘀://𝘀𝗵𝗼𝗽.gr", "https://shop.gr"), ("Ⓢhop.gr/ⓐ", "Shop.gr/a"),
     ("\u200b\u2060https://shop.gr/a", "https://shop.gr/a"),
     ("ｗｗｗ．ｓｈｏｐ．ｇｒ／ａ", "www.shop.gr/a"), ("https://a.gr/x\u200b&amp;y", "https://a.gr/x&y")],
)  # fmt: skip
def test_an_address_is_sent_as_it_was_meant(written, meant):
    [address] = find_web_addresses_except_bare_hosts(f"👉 See {written} now")
    assert address.written == meant
    sent = links.replace_long_urls_with_sample_links(f"👉 See {written} now")
    assert sent in (f"👉 See {meant} now", f"👉 See {links.short_url(links.SAMPLE_CODE)} now")
    assert clean_address(f" {written} ") == meant


@pytest.mark.parametrize("after", ["！", "？", "）", "，再見", "：再見"])
def test_wide_punctuation_is_no_part_of_an_address(after):
    [address] = find_web_addresses_except_bare_hosts(f"（https://shop.example/a{after}")
    assert address.written == "https://shop.example/a"


@pytest.mark.parametrize(
    ("text", "addresses"),
    [("Go to maria.boutique/sale!", ["maria.boutique/sale"]), ("www.мода.бг", ["www.мода.бг"]),
     ("a.shop/x, b.online/x b.ευ/α", ["a.shop/x", "b.online/x", "b.ευ/α"]),
     ("30/11 10:00 v.1/a μ.μ./π.μ. a.nosuchend/x", [])],
)  # fmt: skip
def test_a_host_ends_as_the_internet_has_it(text, addresses):
    assert [one.written for one in find_web_addresses_except_bare_hosts(text)] == addresses


@pytest.mark.parametrize("greek_capitals", [True, False])
@pytest.mark.parametrize(
    "text",
    [f"Δες {sign.format('https://shop.example/sale')} it’s"
     for sign in ("{}’s best", "{}…More", "{}•today", "{}\u200bToday", "{}\u00adToday", "{}×2",
                  "“{}”", "Today\u200b{}", "Today…{}", "{}…", "«{}»·")]
    + ["shop.gr/προσφορές και καφές.gr…", "info@καφές.gr ή o’neil@shop.gr", "www.καφές.gr’s"],
)  # fmt: skip
def test_the_suggested_text_leads_where_the_text_does(text, greek_capitals):
    suggested = replace_outside_gsm_in_template(text, greek_capitals=greek_capitals)
    for find in (find_web_addresses_except_bare_hosts, find_hosts_and_email_addresses):
        assert [one.written for one in find(suggested)] == [one.written for one in find(text)]


def test_the_suggested_text_replaces_what_is_not_joined_to_an_address():
    text = "“Sale” https://shop.example/sale…More – it’s “now” on “shop.gr”…"
    assert replace_outside_gsm_in_template(text, greek_capitals=False) == (
        '"Sale" https://shop.example/sale…More - it\'s "now" on "shop.gr"...'
    )


@pytest.mark.parametrize(
    ("address", "url"),
    [("https://shop.gr/100%", "https://shop.gr/100%25"),
     ("https://shop.gr/%CE%B1?a=%", "https://shop.gr/%CE%B1?a=%25"),
     ("https://παράδειγμα.ελ:8080/α", "https://xn--hxajbheg2az3al.xn--qxam:8080/%CE%B1"),
     ("https://shop.gr/a\r\nSet-Cookie: x", "https://shop.gr/a%0D%0ASet-Cookie:%20x"),
     (unicodedata.normalize("NFD", "https://café.gr/é"), "https://xn--caf-dma.gr/%C3%A9"),
     ("https://shop.gr/?n={{first_name|a?b#c}}&é", "https://shop.gr/?n={{first_name|a?b#c}}&%C3%A9")],
)  # fmt: skip
def test_an_address_becomes_a_valid_url(address, url):
    assert to_ascii_url_keeping_tags(address) == url


@pytest.mark.parametrize(
    ("text", "sent", "target"),
    [("www.shop.gr now", "www.shop.gr now", None),
     ("Go to shop.gr/α!", "Go to shop.gr/%CE%B1!", None),
     ("www.παπούτσια.gr", "www.xn--mxaaxxdbwh4f.gr", None),
     ("www.shop.gr/a-long-way/to/the/offer.", "{}.", "http://www.shop.gr/a-long-way/to/the/offer"),
     ("παπούτσια.gr!", "παπούτσια.gr!", None),
     ("A long-name-of-a-shop.in-athens.gr", "A long-name-of-a-shop.in-athens.gr", None),
     ("bit.ly/3xY", "bit.ly/3xY", None), ("shop.gr, info@shop.gr", "shop.gr, info@shop.gr", None),
     ("24/7, 9.90/kg, και/ή, me@shop.gr/me", "24/7, 9.90/kg, και/ή, me@shop.gr/me", None)],
)  # fmt: skip
@pytest.mark.django_db(transaction=True)
def test_an_address_without_http_leads_where_a_phone_would_lead(text, sent, target, client):
    links_made = {0: OwnedText(make_store().pk, None, text)}
    [written] = create_links_and_shorten_long_urls(links_made).values()
    link = ShortLink.objects.first()
    assert written == sent.format(link and links.short_url(link.short_code))
    if target:
        assert target_of(written.rstrip("."), client) == target


def test_values_in_an_address_without_http_are_percent_encoded():
    template = Template("shop.gr/hi/{{first_name}} www.shop.gr?n={{first_name}}")
    assert template.render({"first_name": "Ann & Bob"}) == (
        "shop.gr/hi/Ann%20%26%20Bob www.shop.gr?n=Ann%20%26%20Bob"
    )


def test_codes_hold_letters_and_digits_only():
    codes = [
        links.signed_unsubscribe_url(code).rsplit("/", 1)[1] for code in generate_tracking_ids(2000)
    ]
    codes += [opt_in_secrets.signed_confirm_url(code[:12]).rsplit("/", 1)[1] for code in codes]
    codes += [links._random_link_code() for _ in range(2000)]
    assert all(code.isalnum() and code.isascii() for code in codes)
    assert {len(code) for code in codes} == {20, 8}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("mark", ["/", ".", ")", ").", "”", "'", "-", "_", "»", "…", "?!"])
def test_a_link_with_the_mark_that_followed_it_works(mark, client):
    store = make_store()
    make_contact(store)
    campaign = make_campaign(
        store, make_list(store, 1), message_text="Hi {{offer_link}}", offer_url="https://a.gr/é"
    )
    enqueue.enqueue_campaign(campaign.pk)
    message = CampaignMessage.objects.get()
    create_links_and_shorten_long_urls(
        {0: OwnedText(store.pk, None, "https://shop.example/" + "a" * 60)}
    )
    for code in (message.tracking_id, ShortLink.objects.get().short_code):
        assert client.get(f"/s/{code}{mark}", headers=AGENT).status_code == 302
    token = links.signed_unsubscribe_url(message.tracking_id).rsplit("/", 1)[1]
    assert client.get(f"/u/{token}{mark}").status_code == 200
