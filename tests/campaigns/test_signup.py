"""Signing up on a store's public page: who becomes a contact with which proof, and who does not."""

import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from io import StringIO
from urllib.parse import urlencode

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction
from django.test import Client
from django.utils import timezone

from astronote.models import AuditEntry, User
from campaigns.models import NfcScan, NfcTag, PublicSignupEvent, RetailAsset, SignupPage
from campaigns.signup import branding, forms, signing_up, views
from contacts.consent import change_consent
from contacts.models import ConsentEvent, Contact, OptInRequest, Suppression
from contacts.phones import phone_hash
from contacts.restriction import restrict_contact
from messaging import opt_in_requests
from messaging.models import DirectMessage
from messaging.opt_in_secrets import signed_confirm_url
from tests.support.factories import link_in, make_contact, make_store
from tests.support.holding import Holding, locked_contact

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+306900000001"
FIREFOX = "Mozilla/5.0 (Android 14; Mobile; rv:130.0) Gecko/130.0 Firefox/130.0"
ENTRY = {"phone": "690 000 0001", "first_name": "Nina", "birthday": "1990-05-17", "agrees": "yes"}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """A form may be sent as soon as it was shown; tests do not type."""
    monkeypatch.setattr(forms, "MIN_SECONDS", 0)


@pytest.fixture
def store():
    return make_store(company="Anna's", phone_region="GR", timezone="Europe/Athens")


@pytest.fixture
def tag(store):
    return NfcTag.objects.create(owner=store, label="Door")


def visit(client, tag, **extra):
    return client.get(f"/j/{tag.public_id}", HTTP_USER_AGENT=FIREFOX, **extra)


def fields_of(answer):
    sign = re.search(r'name="sign" value="([^"]*)"', answer.text)
    return ENTRY | {"sign": unescape(sign[1])}


def send(client, tag, fields, **extra):
    return client.post(
        f"/j/{tag.public_id}",
        urlencode(fields),
        content_type=views.FORM_TYPE,
        HTTP_USER_AGENT=FIREFOX,
        **extra,
    )


def sign_up(client, tag, *, follow=True, **changes):
    answer = send(client, tag, fields_of(visit(client, tag)) | changes)
    signing_up.apply_waiting_signups()
    if follow and answer.status_code == 302:
        return client.get(answer["Location"])
    return answer


def test_a_visitor_who_agrees_becomes_a_contact_with_the_proof(client, store, tag):
    store.opt_in_wording, store.opt_in_version = "Offers of Anna's by SMS?", "2026-11"
    store.save()
    answer = sign_up(client, tag)
    assert "We have received your sign-up" in answer.text
    contact = Contact.objects.get()
    assert (contact.owner, contact.phone, contact.first_name) == (store, PHONE, "Nina")
    assert contact.is_subscribed and f"{contact.birthday}" == "1990-05-17"
    event = ConsentEvent.objects.get()
    assert (event.source, event.wording, event.version) == (
        "signup_page",
        "Offers of Anna's by SMS?",
        "2026-11",
    )
    assert event.meta["ip_address"] == "127.0.0.1" and "Firefox" in event.meta["user_agent"]
    signup = PublicSignupEvent.objects.get()
    assert (signup.outcome, signup.contact) == ("subscribed", contact)
    assert PHONE not in str(signup.meta) and "Nina" not in str(signup.meta)
    scan = NfcScan.objects.get()
    assert (scan.status, scan.contact, scan.device_type) == ("submitted", contact, "phone")


def test_with_double_opt_in_the_owner_of_the_number_confirms(client, store, tag):
    store.double_opt_in = True
    store.save()
    assert "you will get an SMS" in sign_up(client, tag).text
    contact = Contact.objects.get()
    assert not contact.is_subscribed
    assert opt_in_requests.send_or_close_waiting_opt_in_requests()["sent"] == 1
    message = DirectMessage.objects.get()
    assert message.to == PHONE
    request = OptInRequest.objects.get()
    assert request.meta["signup"] == PublicSignupEvent.objects.get().pk
    client.post(link_in(signed_confirm_url(request.tracking_id), "/c/"))
    contact.refresh_from_db()
    assert contact.is_subscribed and ConsentEvent.objects.get().meta["ip_address"]


@pytest.mark.parametrize("double", [False, True])
def test_the_page_says_the_same_of_a_number_that_is_known_and_of_one_that_said_no(
    client, store, tag, double
):
    store.double_opt_in = double
    store.save()
    make_contact(store, "+306900000002", first_name="Ann")
    opted_out = make_contact(store, "+306900000003")
    change_consent(opted_out.pk, "unsubscribed", source="inbound_stop")
    Suppression.objects.create(phone_hash=phone_hash("+306900000004"), reason="list")
    answers = {
        sign_up(client, tag, phone=f"690000000{last}").text.replace("nonce", "") for last in "1234"
    }
    assert len({re.sub(r'="[\w-]{22}"', "", answer) for answer in answers}) == 1
    known, before = (
        Contact.objects.get(phone="+306900000002"),
        Contact.objects.get(phone="+306900000003"),
    )
    assert (known.first_name, known.is_subscribed, before.is_subscribed) == ("Ann", True, False)
    assert not Contact.objects.filter(phone="+306900000004").exists()
    outcomes = list(PublicSignupEvent.objects.order_by("pk").values_list("outcome", flat=True))
    first = "asked" if double else "subscribed"
    assert outcomes == [first, "subscribed_before", "opted_out", "opted_out"]
    assert set(OptInRequest.objects.values_list("contact__phone", flat=True)) == (
        {PHONE} if double else set()
    )


def test_a_restricted_contact_is_left_as_it_is(client, store, tag):
    contact = make_contact(store, is_subscribed=False)
    restrict_contact(contact.pk, reason="disputes", by="test")
    sign_up(client, tag)
    contact.refresh_from_db()
    assert (contact.is_subscribed, contact.first_name) == (False, "")
    assert PublicSignupEvent.objects.get().outcome == "refused"


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("phone", "210 123 4567", "no mobile number"),
        ("phone", "", "no mobile number"),
        ("phone", "9" * 5000, "no mobile number"),
        ("phone", "690 000 0001\0", ""),
        ("first_name", "Nina 🎉", "in letters"),
        ("first_name", "win at evil.example", "in letters"),
        ("first_name", "{{offer_link}}", "in letters"),
        ("first_name", "N" * 41, "in letters"),
        ("birthday", "2020-01-01", "18 or older"),
        ("birthday", "1990-02-30", "no date of birth"),
        ("birthday", "0001-01-01", "no date of birth"),
        ("birthday", "１９９０-05-17", "no date of birth"),
        ("birthday", "1990-W20-1", "no date of birth"),
        ("agrees", "", "Tick the box"),
    ],
)
def test_what_cannot_be_used_is_said_beside_its_field(client, tag, field, value, problem):
    answer = sign_up(client, tag, **{field: value})
    assert problem in answer.text
    assert Contact.objects.exists() == (not problem)
    if problem:
        assert 'value="Nina"' in answer.text or field == "first_name"


@pytest.mark.parametrize("name", ["Μαρία-Ελένη", "O’Brien", "J. R.", "Zoë", "محمد"])
def test_names_of_people_are_taken(client, tag, name):
    sign_up(client, tag, first_name=name)
    assert Contact.objects.get().first_name == name


def test_a_number_of_another_country_is_taken_with_its_plus(client, tag):
    sign_up(client, tag, phone="+49 1512 3456789")
    assert Contact.objects.get().phone == "+4915123456789"


def test_a_program_that_fills_the_hidden_field_or_has_no_sign_gets_the_form_again(client, tag):
    answer = sign_up(client, tag, **{forms.TRAP: "buy"})
    assert "send it once more" in answer.text
    for sign in ("", "x", "\0", "a:b:c", "9" * 5000):
        assert "send it once more" in sign_up(client, tag, sign=sign).text
    assert not PublicSignupEvent.objects.exists()


def test_a_form_is_taken_neither_at_once_nor_for_ever_nor_for_another_tag(
    client, store, tag, monkeypatch
):
    other = NfcTag.objects.create(owner=make_store("bob"), label="Door")
    fields = fields_of(visit(client, tag))
    assert "once more" in send(client, other, fields).text
    monkeypatch.setattr(forms, "MIN_SECONDS", 60)
    assert "once more" in send(client, tag, fields).text
    monkeypatch.setattr(forms, "MIN_SECONDS", 0)
    monkeypatch.setattr(forms, "MAX_SECONDS", 0)
    assert "once more" in send(client, tag, fields).text
    monkeypatch.setattr(forms, "MAX_SECONDS", 60)
    store.opt_in_wording = "Another question?"
    store.save()
    assert "once more" in send(client, tag, fields).text, "nobody agrees to what was not shown"
    assert not PublicSignupEvent.objects.exists()


def test_a_form_makes_one_sign_up_however_often_it_is_sent(client, tag):
    fields = fields_of(visit(client, tag))
    assert send(client, tag, fields).status_code == 302
    assert send(client, tag, fields).status_code == 302, "a double press, before it is applied"
    signing_up.apply_waiting_signups()
    assert send(client, tag, fields).status_code == 302
    replayed = send(client, tag, fields | {"phone": "690 000 0002"})
    assert "once more" in replayed.text
    assert Contact.objects.count() == PublicSignupEvent.objects.count() == 1


def test_a_second_press_is_answered_alike_for_a_number_that_said_no(client, tag):
    Suppression.objects.create(phone_hash=phone_hash(PHONE), reason="list")
    fields = fields_of(visit(client, tag))
    assert send(client, tag, fields).status_code == 302
    assert signing_up.apply_waiting_signups() == {"opted_out": 1}
    assert send(client, tag, fields).status_code == 302
    assert PHONE[3:] not in str(PublicSignupEvent.objects.get().meta)


def test_a_visitor_and_a_store_have_limits_an_hour(client, tag, monkeypatch):
    monkeypatch.setattr(signing_up, "MAX_PER_ADDRESS_AND_HOUR", 2)
    for last in "12":
        assert sign_up(client, tag, phone=f"690000000{last}", follow=False).status_code == 302
    refused = sign_up(client, tag, phone="6900000003")
    assert refused.status_code == 429 and 'value="6900000003"' in refused.text
    elsewhere = {"REMOTE_ADDR": "2001:db8::1"}
    fields = fields_of(visit(client, tag)) | {"phone": "6900000003"}
    assert send(client, tag, fields, **elsewhere).status_code == 302
    for last, status in ("4", 302), ("5", 429):
        neighbour = {"REMOTE_ADDR": f"2001:db8::{last}"}  # one visitor has all of a /64
        fields = fields_of(visit(client, tag)) | {"phone": f"690000000{last}"}
        assert send(client, tag, fields, **neighbour).status_code == status
    monkeypatch.setattr(signing_up, "MAX_PER_STORE_AND_HOUR", 4)
    fields = fields_of(visit(client, tag))
    assert send(client, tag, fields, REMOTE_ADDR="192.0.2.9").status_code == 429


def test_only_short_forms_are_read(client, tag):
    address = f"/j/{tag.public_id}"
    assert client.post(address, {"phone": "1"}).status_code == 400  # multipart
    long = "phone=" + "1" * forms.MAX_BODY_BYTES
    assert client.post(address, long, content_type=views.FORM_TYPE).status_code == 400
    other_charset = f"{views.FORM_TYPE}; charset=utf-16"
    assert client.post(address, "phone=1", content_type=other_charset).status_code == 400


def apply_in_thread():
    try:
        signing_up.apply_waiting_signups()
    finally:
        connections.close_all()


def test_fifty_sign_ups_of_one_number_at_once_make_one_contact(client, tag):
    pages = [fields_of(visit(client, tag, REMOTE_ADDR=f"192.0.2.{n}")) for n in range(50)]

    def press(number):
        try:
            address = f"192.0.2.{number}"
            return send(Client(), tag, pages[number], REMOTE_ADDR=address).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(press, range(50))) == {302}
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: apply_in_thread(), range(2)))
    assert Contact.objects.get().is_subscribed
    assert ConsentEvent.objects.count() == 1
    outcomes = PublicSignupEvent.objects.order_by().values_list("outcome", flat=True)
    assert sorted(outcomes) == ["subscribed"] + ["subscribed_before"] * 49


def test_a_request_waits_for_nothing_and_a_job_applies_what_was_sent(client, store, tag):
    make_contact(store, is_subscribed=False)
    with Holding(lambda: locked_contact(PHONE)):
        answer = send(client, tag, fields_of(visit(client, tag)))
        assert "received your sign-up" in client.get(answer["Location"]).text
        assert PublicSignupEvent.objects.get().outcome == "waiting"
    assert signing_up.apply_waiting_signups() == {"subscribed": 1}
    assert signing_up.apply_waiting_signups() == {}
    assert Contact.objects.get().is_subscribed


def test_a_sign_up_that_was_erased_before_it_was_applied_does_nothing(tag):
    PublicSignupEvent.objects.create(owner=tag.owner, tag=tag, idempotency_key="k", meta=None)
    assert signing_up.apply_waiting_signups() == {"erased": 1}
    assert not Contact.objects.exists()


def test_nobody_is_asked_again_and_again_because_of_what_strangers_type(client, store, tag):
    store.double_opt_in = True
    store.save()
    for _ in range(opt_in_requests.MAX_SIGNUP_REQUESTS + 1):
        sign_up(client, tag)
        OptInRequest.objects.close_unanswered()
    outcomes = list(PublicSignupEvent.objects.order_by("pk").values_list("outcome", flat=True))
    assert outcomes == ["asked", "asked", "asked", "refused"]


def test_programs_and_prefetches_are_no_scans_and_an_address_counts_so_often_an_hour(
    client, tag, monkeypatch
):
    monkeypatch.setattr(views, "MAX_SCANS_PER_ADDRESS_AND_HOUR", 2)
    assert client.get(f"/j/{tag.public_id}", HTTP_USER_AGENT="curl/8").status_code == 200
    visit(client, tag, HTTP_SEC_PURPOSE="prefetch")
    client.head(f"/j/{tag.public_id}", HTTP_USER_AGENT=FIREFOX)
    assert not NfcScan.objects.exists()
    for _ in range(3):
        assert visit(client, tag).status_code == 200
    assert NfcScan.objects.count() == 2
    for host in range(1, 4):
        visit(client, tag, REMOTE_ADDR=f"2001:db8:1:2::{host}")
    assert NfcScan.objects.count() == 4, "one visitor has a network of addresses"
    visit(client, tag, REMOTE_ADDR="2001:db8:1:3::1")
    assert NfcScan.objects.count() == 5


@pytest.mark.parametrize("code", ["x", "%00", "%F0%9F%8E%89", "a/b", "x" * 3000])
def test_a_code_that_leads_nowhere_says_so(client, tag, code):
    assert client.get(f"/j/{code}").status_code == 404
    NfcTag.objects.update(is_active=False)
    assert "leads nowhere" in visit(client, tag).text
    assert send(client, tag, ENTRY).status_code == 404


def test_a_store_that_has_left_has_no_page(client, store, tag):
    store.left_at = timezone.now()
    store.save()
    assert visit(client, tag).status_code == 404


def test_the_page_is_in_the_visitors_language_and_in_the_other_by_a_link(client, store, tag):
    assert "Εγγραφή" in visit(client, tag, HTTP_ACCEPT_LANGUAGE="el-GR,en;q=0.8").text
    store.language = "el"
    store.save()
    assert "Εγγραφή" in visit(client, tag, HTTP_ACCEPT_LANGUAGE="de").text
    english = client.get(f"/j/{tag.public_id}?lang=en")
    assert "Sign up" in english.text and "may we send you offers" in english.text
    assert "Εγγραφή" in client.get(f"/j/{tag.public_id}?lang=xx").text


def test_what_a_store_writes_on_its_page_is_text_and_never_markup(client, store, tag):
    script = "<script>alert(1)</script>\"'"
    SignupPage.objects.create(owner=store, display_name=script, headline_en=script, blurb_en=script)
    store.opt_in_wording = script
    store.save()
    answer = visit(client, tag)
    assert "<script" not in answer.text and answer.text.count("&lt;script&gt;") >= 4
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src" not in policy
    assert "'nonce-" in policy and "unsafe-inline" not in policy


@pytest.mark.parametrize("color", ["red;}", "#fff", "#12345g", "#123456\n", "url(x)", ""])
def test_a_color_is_six_digits_and_nothing_else(store, color):
    with pytest.raises(ValidationError):
        branding.change_signup_page(store, {"primary_color": color}, by="test")
    with pytest.raises(DatabaseError), transaction.atomic():
        SignupPage.objects.create(owner=store, primary_color=color)


@pytest.mark.parametrize(("color", "text"), [("#ffee00", "#000000"), ("#1f5f8b", "#ffffff")])
def test_the_text_on_a_color_can_be_read(color, text):
    assert branding.readable_color_on(color) == text


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360"
    "606060000000050001a5f645400000000049454e44ae426082"
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HUGE = PNG[:16] + (50_000).to_bytes(4, "big") + PNG[20:]


@pytest.mark.parametrize(
    "data",
    [SVG, b"", b"GIF89a", PNG[:40], b"<html>" + PNG, HUGE, b"\xff\xd8\xff", PNG + b"x" * 200_000],
)
def test_what_is_no_small_picture_is_no_logo(store, data):
    with pytest.raises(branding.LogoRefused):
        branding.replace_logo(store, data, by="test")
    assert not RetailAsset.objects.exists()


def test_a_logo_is_shown_as_what_it_is(client, store, tag):
    assert client.get(f"/j/{tag.public_id}/logo").status_code == 404
    branding.replace_logo(store, PNG, by="test")
    address = re.search(r'src="(/j/[^"]+)"', visit(client, tag).text)[1]
    answer = client.get(address)
    assert answer.content == PNG and answer["Content-Type"] == "image/png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    branding.replace_logo(store, None, by="test")
    assert "<img" not in visit(client, tag).text


def test_the_limit_reads_an_index(tag):
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("EXPLAIN " + signing_up.COUNT_LAST_HOUR, [tag.owner_id, "192.0.2.1"])
        plan = str(cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert "created_at" in plan and "Seq Scan" not in plan


def test_a_command_makes_tags_and_changes_the_page(store, tmp_path):
    logo, code, output = tmp_path / "logo.png", tmp_path / "code.svg", StringIO()
    logo.write_bytes(PNG)
    call_command("signup", "add-tag", store.email, "--label", "Door", stdout=output)
    tag = NfcTag.objects.get()
    call_command(
        "signup", "page", store.email, "--display-name", "Café Anna", "--logo", str(logo),
        "--primary-color", "#ffcc00", stdout=output,
    )  # fmt: skip
    call_command("signup", "off", store.email, "--tag", str(tag.pk), stdout=output)
    call_command("signup", "qr", store.email, "--tag", str(tag.pk), "--file", str(code))
    assert "<svg" in code.read_text()
    page, tag = SignupPage.objects.get(), NfcTag.objects.get()
    assert (page.display_name, page.primary_color, tag.is_active) == ("Café Anna", "#ffcc00", False)
    assert RetailAsset.objects.get().byte_size == len(PNG)
    assert tag.public_id in output.getvalue()
    actions = AuditEntry.objects.filter(owner=store).values_list("action", flat=True)
    assert {"added", "changed", "logo changed", "switched off"} <= set(actions)


@pytest.mark.parametrize(
    "options",
    [
        ["page", "--primary-color", "red;}"],
        ["page", "--logo", "/nowhere.png"],
        ["on", "--tag", "7"],
        ["add-tag"],
        ["add-tag", "--label", "Till", "--campaign", "7"],
    ],
)
def test_a_command_says_what_is_wrong(store, options):
    action, *others = options
    with pytest.raises(CommandError):
        call_command("signup", action, store.email, *others, stdout=StringIO())
    assert not NfcTag.objects.exists() and not SignupPage.objects.exists()


def test_an_operator_makes_a_page_with_a_logo_and_a_tag_with_its_code(client, store):
    call_command("create_operator", "o@example.com", role="operator", password="a-long-one-2")
    client.force_login(User.objects.get(email="o@example.com"))
    add = "/admin/campaigns/signuppage/add/"
    form = {"owner": store.pk, "primary_color": "#ffcc00", "display_name": "Café Anna"}
    refused = client.post(add, form | {"logo": SimpleUploadedFile("logo.png", SVG)})
    assert "no PNG or JPEG picture" in refused.text and not SignupPage.objects.exists()
    client.post(add, form | {"logo": SimpleUploadedFile("evil.svg", PNG)})
    page = SignupPage.objects.get()
    assert RetailAsset.objects.get().mime_type == "image/png"
    change = f"/admin/campaigns/signuppage/{page.pk}/change/"
    assert "data:image/png;base64," in client.get(change).text
    client.post(change, form | {"removes_logo": "on"})
    assert not RetailAsset.objects.exists()
    tag_form = {"owner": store.pk, "label": "Door", "type": "opt_in", "is_active": "on"}
    client.post("/admin/campaigns/nfctag/add/", tag_form)
    tag = NfcTag.objects.get()
    shown = client.get(f"/admin/campaigns/nfctag/{tag.pk}/change/").text
    assert f"/j/{tag.public_id}" in shown and "data:image/svg" in shown
    file = client.get(f"/admin/campaigns/nfctag/{tag.pk}/qr.svg")
    assert file["Content-Type"] == "image/svg+xml" and b"<svg" in file.content
    assert f"/j/{tag.public_id}" in client.get(f"/admin/astronote/user/{store.pk}/change/").text
