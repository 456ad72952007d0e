"""The page of an opt-in request's link: one press agrees, and looking does nothing."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from contacts.consent import change_consent
from contacts.importing import lifecycle
from contacts.models import ConsentEvent, Contact, OptInRequest, Suppression
from contacts.phones import phone_hash
from messaging import replies
from messaging.links import signed_unsubscribe_url
from messaging.opt_in_requests import (
    get_or_send_opt_in_request,
    send_or_close_waiting_opt_in_requests,
)
from messaging.opt_in_secrets import signed_confirm_url
from tests.support.factories import make_contact, make_store
from tests.support.holding import Holding, locked_contact

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+306900000001"


@pytest.fixture
def contact():
    store = make_store("alice", company="Anna's shoes", double_opt_in=True)
    return make_contact(store, PHONE, is_subscribed=False)


@pytest.fixture
def asked(contact):
    return get_or_send_opt_in_request(contact, by="test")


def path_of(request):
    address = signed_confirm_url(request.tracking_id)
    return address[address.index("/c/") :]


def is_subscribed(contact):
    contact.refresh_from_db()
    return contact.is_subscribed


def test_looking_does_nothing_and_one_press_agrees(contact, asked, client):
    for look in (client.get, client.head, client.get):
        assert look(path_of(asked)).status_code == 200
    assert not is_subscribed(contact) and not ConsentEvent.objects.exists()
    browser = {"REMOTE_ADDR": "192.0.2.7", "HTTP_USER_AGENT": "Browser/1"}
    answer = client.post(path_of(asked), **browser)
    assert "Thank you" in answer.text and not answer.cookies
    assert is_subscribed(contact)
    event = ConsentEvent.objects.get()
    assert (event.type, event.source, event.actor) == ("subscribed", "double_opt_in", "")
    assert event.wording == (
        "Anna's shoes: may we send you offers by SMS? You can stop them at any time."
    )
    assert event.version == "standard, en"
    assert event.meta == {
        "request": asked.pk, "asked_by": "test", "ip_address": "192.0.2.7",
        "user_agent": "Browser/1",
    }  # fmt: skip
    assert contact.consent_evidence == event.meta | {"wording": event.wording}
    for again in (client.get, client.post):
        assert "Thank you" in again(path_of(asked)).text
    assert ConsentEvent.objects.count() == 1


def test_the_page_asks_what_the_message_asked_and_says_how_to_stop(contact, asked, client):
    page = client.get(path_of(asked))
    assert "Anna&#x27;s shoes: may we send you offers by SMS?" in page.text
    assert "You can stop them at any time" in page.text
    assert "default-src 'none'" in page["Content-Security-Policy"]
    assert page["Cache-Control"] == "no-store"
    assert page["Referrer-Policy"] == "no-referrer"
    greek = client.get(path_of(asked), headers={"Accept-Language": "el"}).text
    assert "Ναι, συμφωνώ" in greek and 'lang="el"' in greek


def expired(asked):
    OptInRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    return path_of(asked)


def withdrawn(asked):
    change_consent(asked.contact_id, "unsubscribed", source="inbound_stop")
    return path_of(asked)


def altered(asked):
    path = path_of(asked)
    return path[:-1] + ("A" if path[-1] != "A" else "B")


def guessed(asked):
    return f"/c/{asked.tracking_id}"


def unsubscribe_token(asked):
    return "/c/" + signed_unsubscribe_url(asked.tracking_id).split("/u/")[1]


def short(asked):
    return "/c/x"


@pytest.mark.parametrize("spoil", [expired, withdrawn, altered, guessed, unsubscribe_token, short])
def test_a_link_that_does_not_work_helps_and_does_nothing(contact, asked, client, spoil):
    path = spoil(asked)
    events = ConsentEvent.objects.count()
    for answer in (client.get(path), client.post(path)):
        assert answer.status_code == 404
        assert "Ask the shop" in answer.text
    assert not is_subscribed(contact) and ConsentEvent.objects.count() == events


@pytest.mark.parametrize("whose", ["own objection", "everybody's"])
def test_a_press_undoes_neither_an_objection_nor_a_suppression_for_all(
    contact, asked, client, whose
):
    if whose == "own objection":
        Suppression.objects.create(
            owner=contact.owner, phone_hash=phone_hash(PHONE), reason="objection"
        )
    else:
        Suppression.objects.create(owner=None, phone_hash=phone_hash(PHONE), reason="test")
    assert client.post(path_of(asked)).status_code == 404
    assert not is_subscribed(contact) and Suppression.objects.exists()
    asked.refresh_from_db()
    assert asked.answered_at is None and asked.closed_at


def test_who_opted_out_after_agreeing_does_not_come_back_by_the_old_link(contact, asked, client):
    client.post(path_of(asked))
    change_consent(contact.pk, "unsubscribed", source="inbound_stop")
    assert client.post(path_of(asked)).status_code == 404
    assert not is_subscribed(contact)


def test_the_link_of_a_code_request_is_no_confirmation(contact, asked, client):
    OptInRequest.objects.update(purpose="opt_in_again")
    assert client.post(path_of(asked)).status_code == 404
    assert not is_subscribed(contact)


def test_links_hold_when_the_key_is_changed(contact, asked, client, settings):
    path = path_of(asked)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert client.get(path).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused(contact, asked, client, method):
    assert getattr(client, method)(path_of(asked)).status_code == 405
    assert not is_subscribed(contact)


def test_an_imported_consent_is_proved_by_the_file_and_the_press(contact, client):
    text = f"phone,sms consent\n{PHONE},yes\n"
    job = lifecycle.create_unstarted_import_or_refuse(
        contact.owner_id, "a.csv", [text.encode()], consent_source="loyalty form"
    )
    lifecycle.start_import_audit_and_enqueue_or_raise(job, by="test")
    lifecycle.run_open_import_unless_running(job.pk)
    send_or_close_waiting_opt_in_requests()
    client.post(path_of(OptInRequest.objects.get()))
    assert is_subscribed(contact)
    meta = ConsentEvent.objects.get().meta
    assert (meta["import"], meta["evidence"], meta["file"]) == (job.pk, "loyalty form", "a.csv")
    assert meta["ip_address"] == "127.0.0.1"


# Who asks


def test_an_operator_asks_from_the_contacts_page_and_is_told_why_not(contact, admin_client):
    form = {"action": "ask_for_consent", "_selected_action": [contact.pk]}
    answer = admin_client.post("/admin/contacts/contact/", form, follow=True)
    assert "1 asked. Each can answer for 72 hours." in answer.text
    assert OptInRequest.objects.get().contact == contact
    assert not is_subscribed(contact)
    Contact.objects.update(service_allowed=False)
    answer = admin_client.post("/admin/contacts/contact/", form, follow=True)
    assert "the contact does not want service messages" in answer.text


def test_the_command_asks(contact, capsys):
    call_command("consent", "ask", PHONE, "--store", "alice@example.com")
    assert "asked; the answer counts until" in capsys.readouterr().out
    Contact.objects.update(is_subscribed=True)
    with pytest.raises(CommandError, match="is subscribed"):
        call_command("consent", "ask", PHONE, "--store", "alice@example.com")


def test_the_requests_are_listed_and_found_by_contact(contact, asked, admin_client):
    page = admin_client.get(f"/admin/contacts/optinrequest/?q={contact.pk}")
    assert page.context["cl"].result_count == 1
    assert admin_client.get("/admin/contacts/optinrequest/?q=0").context["cl"].result_count == 0


def test_a_press_is_answered_while_somebody_holds_the_contact(contact, asked, client):
    with Holding(lambda: locked_contact(PHONE)):
        for _ in range(2):
            assert "Thank you" in client.post(path_of(asked), REMOTE_ADDR="192.0.2.7").text
        assert "Thank you" in client.get(path_of(asked)).text, "it is written"
        assert not is_subscribed(contact), "it is not applied"
    OptInRequest.objects.update(expires_at=timezone.now())
    assert replies.apply_received_replies()["start"] == 1
    assert is_subscribed(contact), "the request was open when it was pressed"
    event = ConsentEvent.objects.get()
    assert (event.source, event.meta["ip_address"]) == ("double_opt_in", "192.0.2.7")
    assert event.wording


def test_a_press_that_waits_gives_way_to_an_opt_out(contact, asked, client):
    with Holding(lambda: locked_contact(PHONE)):
        client.post(path_of(asked))
    change_consent(contact.pk, "unsubscribed", source="test")
    replies.apply_received_replies()
    assert not is_subscribed(contact)
    assert client.get(path_of(asked)).status_code == 404


def test_the_page_links_the_stores_privacy_notice(contact, asked, client):
    assert "Privacy notice" not in client.get(path_of(asked)).text
    contact.owner.privacy_notice_url = "https://shop.example.com/privacy"
    contact.owner.save()
    assert 'href="https://shop.example.com/privacy"' in client.get(path_of(asked)).text


def test_a_press_is_no_reply_in_the_inbox(contact, asked, client, admin_client):
    client.post(path_of(asked))
    assert is_subscribed(contact)
    assert "the text was erased" not in admin_client.get("/admin/messaging/reply/").text
