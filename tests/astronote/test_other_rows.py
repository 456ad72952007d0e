"""A page, file or notice has the rows that belong to it, though others of the kind are beside."""

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from django_otp_webauthn.models import WebAuthnCredential

from astronote.accounts import second_factor
from astronote.accounts.models import Operator
from astronote.accounts.password_links import ForgottenPasswordForm
from astronote.models import AuditEntry, User
from campaigns import enqueue
from campaigns.admin.report_pages import campaign_progress_and_report_context
from campaigns.models import Campaign, ExportRun
from campaigns.service_campaigns import (
    ask_for_confirmation,
    confirmation_request_for_current_settings,
)
from compliance import off_boarding
from compliance.known_numbers import iter_known_numbers
from contacts.importing import lifecycle
from contacts.models import Contact, RejectedRow
from messaging.billing import adjustments, payments, profiles
from messaging.billing.low_balance import low_balance_notices, set_low_balance_alert
from messaging.billing.models import AdjustmentType, BillingProfile, Package
from messaging.direct_messages import get_or_enqueue_direct_message
from messaging.models import Batch, DirectMessage, WebhookEvent
from messaging.statuses import WebhookEventType
from tests.support.factories import make_campaign, make_contact, make_list, make_store

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("address", "mailed"),
    [("here@example.com", ["here"]), ("left@example.com", []), ("x@y.gr", [])],
)
def test_a_forgotten_password_is_mailed_to_the_active_operator_with_the_address(address, mailed):
    for name in ("first", "left", "here"):
        Operator.objects.create_superuser(f"{name}@example.com", is_active=name != "left")
    form = ForgottenPasswordForm({"email": address})
    assert form.is_valid()
    form.mail_password_link()
    told = AuditEntry.objects.filter(action="password link mailed").values_list("actor_name")
    subjects = AuditEntry.objects.filter(action="password link mailed")
    assert len(told) == len(mailed)
    here = Operator.objects.get(email="here@example.com")
    assert all(entry.subject.endswith(f" {here.pk}") for entry in subjects)


def test_the_page_of_an_import_shows_its_own_rejected_rows(admin_client):
    store = make_store()
    made = [
        lifecycle.create_unstarted_import_or_refuse(store.pk, f"{n}.csv", [b"phone\n6900000001\n"])
        for n in range(2)
    ]
    for one in made:
        RejectedRow.objects.create(contact_import=one, line=2, row=["x"], reason=f"row-{one.pk}")
        type(one).objects.update(status="completed")
    address = reverse("admin:contacts_contactimport_change", args=[made[1].pk])
    shown = admin_client.get(address).text
    assert f"row-{made[1].pk}" in shown and f"row-{made[0].pk}" not in shown


def test_batches_are_filtered_by_what_they_carry(admin_client):
    store = make_store()
    for kind in ("campaign", "direct"):
        Batch.objects.create(owner=store, kind=kind, sender="SHOP", size=1)
    address = reverse("admin:messaging_batch_changelist")
    shown = admin_client.get(address, {"kind__exact": "direct"}).context["cl"].result_list
    assert [batch.kind for batch in shown] == ["direct"]


def test_contacts_that_opted_out_are_filtered(admin_client):
    store = make_store()
    now = timezone.now()
    wanted = make_contact(store, "+306900000001", unsubscribed_at=now)
    make_contact(store, "+306900000002")
    make_contact(store, None, unsubscribed_at=now, anonymised_at=now)
    address = reverse("admin:contacts_contact_changelist")
    shown = admin_client.get(address, {"opted_out": "1"}).context["cl"].result_list
    assert list(shown) == [wanted]


def test_a_campaigns_page_counts_its_own_batches():
    store = make_store()
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, 2)).pk)
    for changes in ({"source_id": campaign.pk + 1}, {"kind": "direct"}):
        fields = {"kind": "campaign", "source_id": campaign.pk} | changes
        Batch.objects.create(owner=store, sender="SHOP", size=1, **fields)
    context = campaign_progress_and_report_context(Campaign.objects.get())
    assert [count for _, count in context["batch_counts"]] == [1]


def test_a_confirmation_is_of_one_campaign_as_it_is():
    store = make_store(service_max_recipients=1)
    target = make_list(store, 3)
    account = User.objects.create_superuser("bob@example.com")
    asked, other = (
        make_campaign(store, target, name=name, message_type="service") for name in ("a", "b")
    )
    ask_for_confirmation(asked, by=account)
    assert confirmation_request_for_current_settings(asked).campaign_id == asked.pk
    assert confirmation_request_for_current_settings(other) is None
    Campaign.objects.filter(pk=asked.pk).update(message_text="Another text")
    assert confirmation_request_for_current_settings(Campaign.objects.get(pk=asked.pk)) is None


def test_a_key_of_a_direct_message_is_the_stores_own():
    alice, bob = make_store("alice"), make_store("bob")
    first = get_or_enqueue_direct_message(alice, "+306900000001", "Hello", key="1")
    assert get_or_enqueue_direct_message(alice, "+306900000001", "Hello", key="1") == first
    assert get_or_enqueue_direct_message(alice, "+306900000001", "Hello", key="2") != first
    assert get_or_enqueue_direct_message(bob, "+306900000001", "Hello", key="1").owner == bob
    assert DirectMessage.objects.count() == 3


def test_a_low_balance_is_told_of_stores_that_are_here():
    here, left, full = make_store("alice"), make_store("bob"), make_store("charlie")
    for store in (here, left):
        set_low_balance_alert(store.pk, 2000, by="test")
    set_low_balance_alert(full.pk, 500, by="test")
    User.objects.filter(pk=left.pk).update(left_at=timezone.now())
    [notice] = low_balance_notices()
    assert str(here) in notice.text


def test_actions_on_persons_leave_out_who_is_anonymised(admin_client):
    store = make_store()
    person = make_contact(store, "+306900000001", first_name="Anna")
    gone = make_contact(store, None, first_name="Nobody", anonymised_at=timezone.now())
    for action in ("restrict_person", "erase_or_restrict_person"):
        fields = {"action": action, "_selected_action": [person.pk, gone.pk]}
        page = admin_client.post(reverse("admin:contacts_contact_changelist"), fields)
        assert list(page.context["contacts"]) == [person]


def test_known_numbers_are_those_of_contacts_messages_and_replies():
    store = make_store(phone_region="GR")
    make_contact(store, None, anonymised_at=timezone.now())
    make_contact(store, "+306900000001")
    get_or_enqueue_direct_message(store, "+306900000002", "Hello", key="1")
    DirectMessage.objects.update(contact=None)
    DirectMessage.objects.filter(pk=get_or_enqueue_direct_message(
        store, "+306900000003", "Hello", key="2").pk).update(to="")  # fmt: skip
    for type, number in (
        (WebhookEventType.INBOUND, "+306900000004"),
        (WebhookEventType.RECEIPT, "+306900000005"),
    ):
        WebhookEvent.objects.create(
            provider="mitto", event_type=type, event_id=number,
            payload={"from": number},
        )  # fmt: skip
    assert "" not in iter_known_numbers()
    assert set(iter_known_numbers()) == {f"+30690000000{n}" for n in (1, 2, 4)}


def test_a_page_of_a_payment_shows_its_own_refunds(admin_client):
    store = make_store()
    package = Package.objects.create(name="Small", credits=100, price_cents=4900)
    Package.objects.create(name="Old", credits=50, price_cents=900, is_active=False)
    found = [payments.record_purchase(store, package, key=key, by="test") for key in "ab"]
    for payment, cents in zip(found, (100, 200), strict=True):
        adjustments.record_adjustment(
            payment, AdjustmentType.REFUND, cents, key=str(cents), by="test"
        )
    page = admin_client.get(reverse("admin:messaging_payment_change", args=[found[0].pk]))
    assert [one.amount for one in page.context["adjustments"]] == [100]
    page = admin_client.get(reverse("record_purchase", args=[store.pk]))
    assert list(page.context["form"].fields["package"].queryset) == [package]
    assert Contact.objects.count() == 0


def test_each_store_has_an_invoice_recipient_of_its_own(admin_client):
    alice, bob = make_store("alice"), make_store("bob")
    for store in (alice, bob):
        values = {"legal_name": f"{store} IKE", "billing_address": "Here", "vat_country": "GR"}
        profiles.set_invoice_recipient(store, values, by="test")
    found = BillingProfile.objects.order_by("pk").values_list("owner", "legal_name")
    assert list(found) == [(alice.pk, f"{alice} IKE"), (bob.pk, f"{bob} IKE")]
    form = {"owner": make_store("charlie").pk, "legal_name": "Charlie", "billing_address": "There",
            "vat_country": "GR", "_continue": "1"}  # fmt: skip
    page = admin_client.post(reverse("admin:messaging_billingprofile_add"), form, follow=True)
    newest = BillingProfile.objects.latest("pk")
    assert newest.legal_name == "Charlie"
    assert page.redirect_chain[-1][0] == reverse(
        "admin:messaging_billingprofile_change", args=[newest.pk]
    )


def test_a_purchase_is_of_the_named_package():
    store = make_store(balance=0)
    for name, size in (("Large", 900), ("Small", 100)):
        Package.objects.create(name=name, credits=size, price_cents=4900)
    call_command("billing", "purchase", str(store.pk), package="Small", key="1")
    store.wallet.refresh_from_db()
    assert store.wallet.balance == 100


def test_a_list_of_exports_says_how_many_rows_a_file_has(admin_client):
    store = make_store()
    now = timezone.now()
    ExportRun.objects.create(owner=store, content="contacts")
    ExportRun.objects.create(
        owner=store, content="contacts", status="completed", lines=1234, file_size=5000,
        completed_at=now, started_at=now,
    )  # fmt: skip
    page = admin_client.get(reverse("admin:campaigns_exportrun_changelist")).text
    assert "1,234" in page


def test_the_record_of_processing_says_which_columns_hold_no_personal_data(capsys):
    call_command("audit_pii")
    told = capsys.readouterr().out
    _, _, without = told.partition("columns that by themselves hold no personal data, and why:\n")
    assert "- messaging" in without


def test_a_store_that_is_erased_is_done_though_other_stores_have_contacts():
    left = make_store("alice")
    make_contact(left)
    make_contact(make_store("bob"))
    off_boarding.off_board_store(left, erase_on=timezone.now().date(), by="test")
    off_boarding.end_open_work_and_erase_data_if_due(left.pk)
    left.refresh_from_db()
    assert left.erased_at is not None and Contact.objects.get().owner != left


def test_a_second_factor_is_taken_from_one_account():
    for name in ("alice", "bob"):
        account = Operator.objects.create_superuser(f"{name}@example.com")
        WebAuthnCredential.objects.create(
            user=account, credential_id=name.encode(), public_key=b"1", name="key", transports=[]
        )
    second_factor.remove_all_factors_and_audit(account, by="test")
    assert [key.user.email for key in WebAuthnCredential.objects.all()] == ["alice@example.com"]
