"""Off-boarding: a store leaves, nothing is sent, its data goes, its books and trail stay."""

import io
import zipfile

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from astronote.accounts.eligibility import (
    SendingBlocked,
    sender_of_store,
)
from astronote.common.locks import advisory_lock
from astronote.models import AuditEntry, Session, User
from campaigns import actions, enqueue
from campaigns.models import Automation, AutomationRule, Campaign, CampaignMessage
from compliance import off_boarding, tasks
from contacts.importing import lifecycle
from contacts.importing.import_refused import ImportRefused
from contacts.models import Contact, ContactImport, List, ListMembership, Suppression
from messaging import credits, replies, sending
from messaging.models import (
    Batch,
    CreditTransaction,
    Payment,
    PaymentAdjustment,
    SendingStop,
    ShortLink,
    Wallet,
)
from messaging.sending import BatchResult
from messaging.sending_stop import stop_sending
from messaging.statuses import StopReason
from tests.compliance import planting
from tests.support.factories import make_campaign, make_contact, make_list, make_store
from tests.support.holding import Holding

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"


def leave(store, days=0):
    erase_on = off_boarding.utc_day_of_erasure(days)
    off_boarding.off_board_store(store, erase_on=erase_on, by="test")
    return tasks.continue_off_boarding(store.pk)


def entries(store):
    found = AuditEntry.objects.filter(owner=store).order_by("pk")
    return list(found.values_list("action", flat=True))


@pytest.mark.slow
def test_nothing_of_a_customer_is_left_and_books_and_trail_stay():
    world = planting.World()
    planting.plant_rows(world)
    planting.plant_uploads(world)
    # A history of the admin and receipts that belong to no store are not the store's.
    planting.LogEntry.objects.all().delete()
    planting.WebhookEvent.objects.update(owner=world.store)
    planting.SendingStop.objects.all().delete()
    AuditEntry.objects.all().delete()
    Suppression.objects.all().delete()
    Suppression.objects.create(owner=world.store, phone_hash="x", reason="inbound STOP")
    before = list(CreditTransaction.objects.order_by("pk").values_list("pk", "amount"))
    CreditTransaction.objects.update(reason="paid")  # the books name no customer
    for model in (CreditTransaction, Payment, PaymentAdjustment):
        for entry in model.objects.all():
            model.objects.filter(pk=entry.pk).update(idempotency_key=f"kept {entry.pk}")
    messages = CampaignMessage.objects.count()
    assert set(planting.needles_in(planting.database_dump())) == set(planting.NEEDLES)
    leave(world.store)
    assert planting.needles_in(planting.database_dump()) == []
    assert not Contact.objects.exists()
    assert list(CreditTransaction.objects.order_by("pk").values_list("pk", "amount")) == before
    assert CampaignMessage.objects.count() == messages
    assert Suppression.objects.get().reason == "inbound STOP"
    assert "store off-boarded" in entries(world.store)
    assert off_boarding.ERASED in entries(world.store)
    world.store.refresh_from_db()
    assert world.store.erased_at and not world.store.is_active
    assert tasks.continue_off_boarding(world.store.pk) == {}  # nothing the second time


def everything_of(store):
    found = {}
    for declaration in off_boarding._one_declaration_per_exported_table():
        rows = off_boarding._rows_of_store(declaration, store)
        found[declaration.model] = list(rows.values())
    return found


@pytest.mark.slow
def test_another_stores_rows_stay_as_they_are():
    bob = make_store("bob")
    enqueue.enqueue_campaign(make_campaign(bob, make_list(bob, 3)).pk)
    before = everything_of(bob)
    alice = make_store("alice")
    enqueue.enqueue_campaign(make_campaign(alice, make_list(alice, 3)).pk)
    leave(alice)
    assert everything_of(bob) == before
    assert before["contacts.Contact"] and before["campaigns.CampaignMessage"]


def test_a_store_that_leaves_sends_nothing_more(sandbox):
    store = make_store()
    running = make_campaign(store, make_list(store, 3))
    enqueue.enqueue_campaign(running.pk)
    make_campaign(store, None)
    automation = Automation.objects.create(
        owner=store, type="welcome_message", message_body="Hi", is_active=True
    )
    rule = AutomationRule.objects.create(
        owner=store, name="Birthday", message_body="Hi", trigger_type="birthday", is_active=True
    )
    uploaded = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "a.csv", [b"phone\n+306900000008\n"]
    )
    off_boarding.off_board_store(store, erase_on=off_boarding.utc_day_of_erasure(30), by="test")
    # Before any job has run, a worker finds nothing to send.
    assert sending.process_next_batch() == BatchResult.NONE_DUE
    with pytest.raises(SendingBlocked, match="left"):
        sender_of_store(store)
    assert not User.objects.eligible_to_send_annotated_with_sender().exists()
    tasks.continue_off_boarding(store.pk)
    assert set(Campaign.objects.values_list("status", flat=True)) == {"cancelled"}
    assert set(CampaignMessage.objects.values_list("status", "error_code")) == {
        ("skipped", "cancelled")
    }
    assert Batch.objects.get().status == "cancelled"
    automation.refresh_from_db()
    rule.refresh_from_db()
    uploaded.refresh_from_db()
    assert not automation.is_active and not rule.is_active
    assert uploaded.status == "cancelled"
    wallet = Wallet.objects.get(owner=store)
    assert (wallet.balance, wallet.reserved_balance) == (1000, 0)
    assert Contact.objects.count() == 3  # until the day of erasure


def test_a_campaign_that_was_started_while_its_store_left_is_ended_by_the_watchdog():
    store = make_store()
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, 2)).pk)
    off_boarding.off_board_store(store, erase_on=off_boarding.utc_day_of_erasure(30), by="test")
    assert off_boarding.end_open_work_of_left_stores(True) == 1
    assert Campaign.objects.get(pk=campaign.pk).status == "sending"
    assert off_boarding.end_open_work_of_left_stores(False) == 1
    assert Campaign.objects.get(pk=campaign.pk).status == "cancelled"
    assert off_boarding.end_open_work_of_left_stores(False) == 0


def test_a_store_returns_before_its_data_is_erased_and_not_after():
    store = make_store()
    make_contact(store)
    leave(store, days=1)
    off_boarding.take_back_store_or_raise_cannot_return(store, by="test")
    assert sender_of_store(store) == "TESTSHOP" and store.is_active
    leave(store, days=0)
    with pytest.raises(off_boarding.CannotReturn, match="erased since"):
        off_boarding.take_back_store_or_raise_cannot_return(store, by="test")
    assert not Contact.objects.exists()


def test_the_nightly_run_erases_on_the_day_and_not_before():
    store = make_store()
    make_contact(store)
    leave(store, days=1)
    tasks.run_pii_retention()
    assert Contact.objects.exists()
    User.objects.filter(pk=store.pk).update(erase_on=off_boarding.utc_day_of_erasure(0))
    tasks.run_pii_retention()
    assert not Contact.objects.exists()


def test_off_boarding_twice_is_said_once_and_another_day_is_said():
    store = make_store()
    leave(store, days=5)
    left_at = User.objects.get(pk=store.pk).left_at
    leave(store, days=5)
    leave(store, days=9)
    assert entries(store) == ["store off-boarded", "store's day of erasure changed"]
    assert User.objects.get(pk=store.pk).left_at == left_at, "it left once"


def test_a_session_of_a_store_that_leaves_ends(client):
    store = make_store()
    client.force_login(store)
    leave(store, days=5)
    assert not Session.objects.filter(account=store).exists()


def test_two_jobs_do_not_erase_one_store_at_once():
    store = make_store()
    make_contact(store)
    with Holding(lambda: advisory_lock(f"off-boarding {store.pk}")):
        assert leave(store) == {}
        assert Contact.objects.exists()
    tasks.continue_off_boarding(store.pk)
    assert not Contact.objects.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kept", "lifted"),
    [
        ({"legal_hold": True}, {"legal_hold": False}),
        ({"restricted_at": timezone.now()}, {"restricted_at": None}),
    ],
)
def test_a_contact_that_must_be_kept_stays_with_its_messages_until_it_need_not(kept, lifted):
    store = make_store()
    target = make_list(store, 2)
    enqueue.enqueue_campaign(make_campaign(store, target).pk)
    held = Contact.objects.order_by("pk").first()
    Contact.objects.filter(pk=held.pk).update(**kept)
    leave(store)
    assert Contact.objects.get().phone == held.phone
    assert CampaignMessage.objects.exclude(to="").get().contact_id == held.pk
    store.refresh_from_db()
    assert store.erased_at is None
    Contact.objects.update(**lifted)
    tasks.run_pii_retention()
    store.refresh_from_db()
    assert store.erased_at and not CampaignMessage.objects.exclude(to="").exists()


def test_an_opt_out_outlives_its_contact_as_a_hash():
    store = make_store()
    contact = make_contact(store)
    call_command("consent", "opt-out", contact.phone, store=store.email)
    leave(store)
    assert not Contact.objects.exists() and Suppression.objects.filter(owner=store).count() == 1


def test_a_stop_that_waits_to_be_applied_outlives_its_contact():
    store = make_store(sender_name="+306900000000")
    make_contact(store)
    replies.store_replies([{"from": "+306900000001", "to": "+306900000000", "text": "STOP"}])
    leave(store)
    assert not Contact.objects.exists() and Suppression.objects.exists()


def test_no_probe_of_a_stopped_account_is_a_batch_of_a_store_that_left(sandbox, settings):
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 2)).pk)
    stop_sending(StopReason.ACCOUNT_REFUSED, by="test")
    SendingStop.objects.update(next_probe_at=timezone.now())
    off_boarding.off_board_store(store, erase_on=off_boarding.utc_day_of_erasure(30), by="test")
    assert sending.process_next_batch() == BatchResult.NONE_DUE


def test_a_killed_erasure_goes_on_where_it_was(monkeypatch):
    store = make_store()
    make_list(store, 5)
    monkeypatch.setattr(off_boarding, "CHUNK_ROWS", 2)
    delete, calls = off_boarding.delete_contacts, []

    def die_at_the_second_chunk(ids):
        calls.append(ids)
        if len(calls) == 2:
            raise KeyboardInterrupt
        delete(ids)

    monkeypatch.setattr(off_boarding, "delete_contacts", die_at_the_second_chunk)
    with pytest.raises(KeyboardInterrupt):
        leave(store)
    assert Contact.objects.count() == 3
    store.refresh_from_db()
    assert store.left_at and store.erased_at is None
    tasks.continue_off_boarding(store.pk)
    store.refresh_from_db()
    assert store.erased_at and not Contact.objects.exists()


def test_a_store_that_has_left_takes_no_lists_and_no_contacts(admin_client):
    store = make_store()
    leave(store, days=30)
    with pytest.raises(ImportRefused, match="left"):
        lifecycle.create_unstarted_import_or_refuse(store.pk, "a.csv", [b"phone\n+306900000008\n"])
    answer = admin_client.post(
        reverse("admin:contacts_contact_add"), {"owner": store.pk, "phone": "+306900000001"}
    )
    assert answer.status_code == 200 and not Contact.objects.exists()
    with pytest.raises(SendingBlocked, match="left"):
        actions.start_now(make_campaign(store, None), by="test")
    assert not ContactImport.objects.exists()


def test_a_short_link_of_a_store_that_was_erased_leads_nowhere(client):
    store = make_store()
    link = ShortLink.objects.create(
        owner=store, short_code="abcd1234", target_url="https://shop.example/", long_url_hash="x"
    )
    assert client.get("/s/abcd1234").status_code == 302
    leave(store)
    assert client.get("/s/abcd1234").status_code == 404
    link.refresh_from_db()
    assert "shop.example" not in link.target_url


@pytest.mark.slow
def test_the_export_holds_all_of_the_store_and_nothing_of_another():
    alice, bob = make_store("alice"), make_store("bob")
    make_contact(alice, first_name="=HYPERLINK(1)")
    make_contact(bob, "+306900000099")
    target = List.objects.create(owner=alice, name="all")
    ListMembership.objects.create(list=target, contact=Contact.objects.get(owner=alice))
    enqueue.enqueue_campaign(make_campaign(alice, target).pk)
    data = b"".join(off_boarding.audit_and_iter_export_as_zip(alice, by="test"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert "+306900000001" in texts["contacts_contact.csv"]
    assert "'=HYPERLINK" in texts["contacts_contact.csv"]
    assert "+306900000001" in texts["campaigns_campaignmessage.csv"]
    assert not any("6900000099" in text for text in texts.values())
    assert not any("password" in text for text in texts.values())
    assert entries(alice)[-1] == "store's data exported"


# The page and the command


def log_in(client, role):
    call_command("create_operator", f"{role}@example.com", role=role, password=PASSWORD)
    client.force_login(User.objects.get(email=f"{role}@example.com"))


@pytest.mark.parametrize("role", ["viewer", "operator", "service_operator"])
def test_only_administrators_off_board_and_export(client, role):
    store = make_store()
    log_in(client, role)
    page = client.get(reverse("admin:astronote_user_change", args=[store.pk]))
    assert page.status_code == 200 and "Off-boarding" not in page.text
    for name in ("off_board_store", "take_back_store", "export_store"):
        answer = client.post(reverse(name, args=[store.pk]), {"days": "0", "address": store.email})
        assert answer.status_code == 403, name
    store.refresh_from_db()
    assert store.left_at is None and entries(store) == []


def test_the_page_says_what_would_happen_and_asks_for_the_address(client):
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 3)).pk)
    log_in(client, "administrator")
    url = reverse("off_board_store", args=[store.pk])
    page = client.get(url).text
    assert "campaigns cancelled" in page and "contacts erased" in page and "1,000" in page
    wrong = client.post(url, {"days": "0", "address": "bob@example.com"})
    assert "It is not alice@example.com." in wrong.text.replace("&#x27;", "'")
    store.refresh_from_db()
    assert store.left_at is None
    done = client.post(url, {"days": "7", "address": " Alice@example.com "}, follow=True)
    assert "has left" in done.text and "Let it return" in done.text
    back = client.post(reverse("take_back_store", args=[store.pk]), follow=True)
    assert "has returned" in back.text


def test_the_command_asks_and_a_dry_run_changes_nothing(capsys, monkeypatch):
    store = make_store()
    make_contact(store)
    call_command("off_board", store.email, dry_run=True)
    assert "contacts erased: 1" in capsys.readouterr().out
    monkeypatch.setattr("builtins.input", lambda question: "no")
    with pytest.raises(CommandError, match="nothing was changed"):
        call_command("off_board", store.email)
    store.refresh_from_db()
    assert store.left_at is None
    call_command("off_board", store.email, erase_in=0, yes=True)
    assert "contacts_contact: 1 erased" in capsys.readouterr().err
    assert not Contact.objects.exists()
    assert credits.get_or_create_wallet(store.pk).balance == 1000
