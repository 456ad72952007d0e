"""Direct messages from a file: the price, lines that are refused, and each line sent once."""

from datetime import time
from threading import Thread

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from astronote.accounts.eligibility import SendingBlocked
from astronote.models import AuditEntry, User
from campaigns.direct_files import PriceChanged, plan_file, send_file
from campaigns.service_campaigns import NotPermitted
from contacts.importing.import_refused import ImportRefused
from contacts.models import Contact, Suppression
from contacts.phones import phone_hash
from messaging import message_log, sending
from messaging.models import Batch, DirectMessage, Wallet
from tests.support.factories import link_in, make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"


@pytest.fixture
def store():
    return make_store(phone_region="GR", timezone="Europe/Athens", language="en")


@pytest.fixture
def olga():
    call_command("create_operator", "olga@example.com", role="service_operator", password=PASSWORD)
    return User.objects.get(email="olga@example.com")


@pytest.fixture
def file(tmp_path):
    def write(*lines, encoding="utf-8"):
        path = tmp_path / "texts.csv"
        path.write_bytes("\r\n".join([*lines, ""]).encode(encoding))
        return path

    return write


def test_each_line_is_its_own_text_with_the_contacts_name_and_the_opt_out_line(store, file):
    make_contact(store, first_name="Nina")
    make_contact(store, "+306900000002")
    path = file("Number,Text", '690 000 0001,"Hello {{first_name}}, come"', "6900000002,Bye")
    assert plan_file(store, path, "marketing").credits == 2
    assert not DirectMessage.objects.exists()
    plan = send_file(store, path, "marketing", by="test", shown_credits=2)
    assert (len(plan.messages), plan.rejected, plan.problem) == (2, [], "")
    first, second = DirectMessage.objects.order_by("pk")
    assert first.text.startswith("Hello Nina, come\nOpt out: ")
    assert first.tracking_id in link_in(first.text, "/u/") and second.text.startswith("Bye")
    assert Batch.objects.get().message_type == "marketing"
    assert (
        Wallet.objects.get().reserved_balance
        == sum(DirectMessage.objects.values_list("segments", flat=True))
        == plan.credits
    )
    assert AuditEntry.objects.get(action="direct messages sent").details["messages"] == 2


def test_the_same_file_twice_sends_nothing_twice(store, file):
    make_contact(store)
    path = file("number,text", "+306900000001,Hello")
    send_file(store, path, "marketing", by="test")
    plan = send_file(store, path, "marketing", by="test")
    assert (plan.messages, plan.known, plan.credits) == ([], 1, 0)
    assert DirectMessage.objects.count() == 1


def test_two_at_once_send_each_line_once(store, file):
    make_contact(store)
    path = file("number,text", "+306900000001,Hello")

    def send():
        send_file(store, path, "marketing", by="test")
        connection.close()

    threads = [Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert DirectMessage.objects.count() == 1


def test_a_key_of_the_stores_own_is_used_once(store, file):
    make_contact(store)
    make_contact(store, "+306900000002")
    head = "number,text,key"
    send_file(store, file(head, "+306900000001,Hello,o-1"), "marketing", by="test")
    plan = plan_file(
        store,
        file(head, "+306900000001,Hello!,o-1", "+306900000002,Hi,o-1", "+306900000002,Hi,o-2",
             "+306900000002,Hi,"),
        "marketing",
    )  # fmt: skip
    assert (len(plan.messages), plan.known) == (1, 1)
    assert plan.rejected == [
        (3, "its key stands in line 2"),
        (5, "its key has not 1 to 100 characters"),
    ]
    other = plan_file(store, file(head, "+306900000002,Hi,o-1"), "marketing")
    assert other.rejected == [(2, "its key was used for a message to another number")]


def test_marketing_goes_to_nobody_who_does_not_agree(store, file):
    numbers = [f"+3069000000{n:02}" for n in range(1, 6)]
    make_contact(store, numbers[0], is_subscribed=False)
    make_contact(store, numbers[1])
    Suppression.objects.create(owner=store, phone_hash=phone_hash(numbers[1]), reason="test")
    make_contact(store, numbers[2], restricted_at="2026-01-01T00:00Z")
    make_contact(make_store("bob"), numbers[3])
    make_contact(store, numbers[4])
    plan = plan_file(store, file("number,text", *(f"{n},Sale" for n in numbers)), "marketing")
    assert [message.line.phone for message in plan.messages] == [numbers[4]]
    assert [reason for _, reason in plan.rejected] == [
        "the contact does not agree to marketing",
        "the number has opted out",
        "the data of this number's contact may only be stored",
        "no contact has the number, so nobody agreed to marketing",
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("+306900000001,Hello {{nosuch}}", "{{nosuch}} is no tag"),
        ("+306900000001,Look {{offer_link}}", "has no offer"),
        ("+306900000009,Hello {{first_name}}", "no contact has the number, to fill"),
        ("+306900000001,", "it has no text"),
        ("+306900000001," + "a" * 2000, "at most 10 are sent"),
        ("+302101234567,Hello", "is no mobile"),
        ("12,Hello", ""),
    ],
)
def test_a_line_that_cannot_be_sent_is_rejected_and_the_others_are_not(
    store, olga, file, line, reason
):
    make_contact(store)
    path = file("number,text", line, "+306900000002,Your order is here")
    plan = send_file(store, path, "service", by=olga)
    ((number, why),) = plan.rejected
    assert number == 2 and reason in why
    assert DirectMessage.objects.get().to == "+306900000002"


def test_a_number_may_stand_twice_for_service_and_once_for_marketing(store, file):
    make_contact(store)
    lines = ["number,text", "+30 690 000 0001,One", "+30 690 000 0001,Two", "6900000001,One"]
    service = plan_file(store, file(*lines), "service")
    assert len(service.messages) == 2
    assert service.rejected == [(4, "the same message stands in line 2")]
    marketing = plan_file(store, file(*lines), "marketing")
    assert [line for line, _ in marketing.rejected] == [3, 4]


def test_a_greek_file_with_semicolons_is_read_as_an_import_is(store, file):
    make_contact(store)
    path = file("Number;Text", "690 000 0001;Καλημέρα σας, κυρία", encoding="cp1253")
    (message,) = plan_file(store, path, "marketing").messages
    assert message.line.text == "Καλημέρα σας, κυρία"


@pytest.mark.parametrize("heading", ["number,words", "name,text"])
def test_a_file_without_its_columns_is_refused(store, file, heading):
    with pytest.raises(ImportRefused, match="no column"):
        plan_file(store, file(heading, "+306900000001,Hello"), "marketing")


def test_service_messages_need_an_account_that_may_send_them_and_are_few(store, olga, file):
    path = file("number,text", "+306900000001,One", "+306900000001,Two")
    with pytest.raises(NotPermitted):
        send_file(store, path, "service", by="command line")
    store.service_max_recipients = 1
    with pytest.raises(SendingBlocked, match="second person"):
        send_file(store, path, "service", by=olga)
    assert not DirectMessage.objects.exists()


def test_what_cannot_be_paid_or_costs_more_than_was_shown_is_not_sent(store, file):
    make_contact(store)
    path = file("number,text", "+306900000001,Hello")
    with pytest.raises(PriceChanged, match="cost 1 credit now, not 2"):
        send_file(store, path, "marketing", by="test", shown_credits=2)
    Wallet.objects.update(balance=0)
    with pytest.raises(SendingBlocked, match="top up"):
        send_file(store, path, "marketing", by="test")
    assert not DirectMessage.objects.exists() and not Batch.objects.exists()


def quiet_all_day(settings):
    settings.QUIET_HOURS_ENABLED = True
    settings.QUIET_HOURS_ALLOW_MARKETING = settings.QUIET_HOURS_ALLOW_SERVICE = False
    settings.QUIET_HOURS_START, settings.QUIET_HOURS_END = time(0, 1), time(0, 0)


@pytest.mark.parametrize("message_type", ["marketing", "service"])
def test_quiet_hours_keep_messages_of_a_file_waiting(store, olga, file, settings, message_type):
    make_contact(store)
    path = file("number,text", "+306900000001,Hello")
    send_file(store, path, message_type, by=olga)
    quiet_all_day(settings)
    second = file("number,text", "+306900000001,Hello again")
    send_file(store, second, message_type, by=olga)
    early, late = Batch.objects.order_by("pk")
    assert early.not_before is None and late.not_before is not None
    if message_type == "marketing":
        assert sending.process_next_batch() == "postponed"


def test_consent_and_caps_are_checked_again_before_the_call(store, file, settings):
    contact = make_contact(store)
    settings.CONTACT_MARKETING_PER_DAY = 1
    settings.QUIET_HOURS_ENABLED = False
    first = file("number,text", "+306900000001,One")
    send_file(store, first, "marketing", by="test")
    Contact.objects.filter(pk=contact.pk).update(is_subscribed=False)
    assert sending.mark_submitting(sending.claim_next_batch()) == []
    assert DirectMessage.objects.get().error_code == "opted_out"
    Contact.objects.filter(pk=contact.pk).update(is_subscribed=True)
    for text in ("Two", "Three"):
        send_file(store, file("number,text", f"+306900000001,{text}"), "marketing", by="test")
    found = [len(sending.mark_submitting(sending.claim_next_batch())) for _ in range(2)]
    assert found == [1, 0]
    plan = plan_file(store, file("number,text", "+306900000001,Four"), "marketing")
    assert "as a cap allows" in plan.rejected[0][1]


def test_marketing_whose_contact_is_gone_is_not_sent(store, file, settings):
    settings.QUIET_HOURS_ENABLED = False
    contact = make_contact(store)
    send_file(store, file("number,text", "+306900000001,One"), "marketing", by="test")
    Contact.objects.filter(pk=contact.pk).delete()
    assert sending.mark_submitting(sending.claim_next_batch()) == []


def test_the_command_shows_the_price_and_asks(store, file, monkeypatch, capsys):
    make_contact(store)
    path = file("number,text", "+306900000001,Hello", "x,y")
    monkeypatch.setattr("builtins.input", lambda question: "n")
    with pytest.raises(CommandError, match="nothing was sent"):
        call_command("send_messages", store.email, path)
    said = capsys.readouterr()
    assert "1 messages, 1 credits" in said.out and "line 3:" in said.err
    call_command("send_messages", store.email, path, yes=True)
    assert DirectMessage.objects.count() == 1


def test_the_page_shows_the_price_and_sends_once_confirmed(store, file, admin_client):
    make_contact(store)
    page = "/admin/campaigns/campaign/messages-from-file/"
    path = file("number,text", "+306900000001,Hello", "+306900000002,{{x}}")
    form = {"store": store.pk, "message_type": "marketing"}
    with path.open("rb") as opened:
        answer = admin_client.post(page, form | {"file": opened})
    assert "Send 1 for 1 credit<" in answer.text and "is no tag" in answer.text
    assert not DirectMessage.objects.exists()
    kept = answer.context["kept"]
    answer = admin_client.post(page, {"confirmed": kept}, follow=True)
    assert "1 message on their way" in answer.text and "Message log" in answer.text
    admin_client.post(page, {"confirmed": kept})
    assert DirectMessage.objects.count() == 1
    answer = admin_client.post(page, {"confirmed": kept[:-1] + "x"}, follow=True)
    assert "choose it again" in answer.text
    assert [entry.kind for entry in message_log.read_page(message_log.LogFilter(store))] == [
        "direct"
    ]


def test_the_page_is_for_those_who_may_write_campaigns(client):
    call_command("create_operator", "me@example.com", role="viewer", password=PASSWORD)
    client.force_login(User.objects.get(email="me@example.com"))
    assert client.get("/admin/campaigns/campaign/messages-from-file/").status_code == 403
