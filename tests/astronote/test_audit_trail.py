"""What changes, sends, spends, exports or erases is in the audit trail, by every door.

The doors are found, not listed: every address, every action of the admin's lists, and every command
of ours. A command must be declared here; one that is not fails.
"""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command, get_commands

from astronote.common import audit
from astronote.models import AuditEntry, User
from campaigns import enqueue
from campaigns.models import Automation, Campaign, CampaignMessage
from contacts.importing import lifecycle
from contacts.models import Contact, ContactImport
from messaging.models import CreditReservation, SendingStop, Wallet
from tests.astronote.test_security import (
    OPEN,
    PASSWORD,
    actions,
    actions_in_the_trail,
    addresses,
    everything,
    rows_of_every_kind,
)
from tests.support.admin_pages import fill_money
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+306900000001"


def rows_besides_the_trail():
    found = everything()
    del found[AuditEntry._meta.db_table]
    return found


# Commands. What each is called with, and the entry that it writes; "" if it changes nothing and
# shows no list of persons.

RUNS_A_PROCESS = {
    "alerts", "serve", "services", "web", "rqworker", "rqworker-pool", "rqscheduler",
    "mitto_sandbox",
}  # fmt: skip
NOT_ON_AN_INSTALLATION = {
    "demo": "fills an empty installation with invented data",
    "generate_docs": "writes the project's documents",
}
ELSEWHERE = {
    "createsuperuser": "test_operators",
    "changepassword": "test_operators",
    "migrate": "tables remember it; test_migrations",
    "mitto_check": "needs a sandbox; test_go_live_check",
    "rotate_phone_hash_key": "needs two keys; test_phone_hash_keys",
}
COMMANDS = [
    ("after_restore", [], {}, "after restore"),
    ("audit_pii", [], {}, ""),
    ("automation", ["show", "STORE", "birthday"], {"text": "Hello"}, "added"),
    ("automation", ["off", "STORE", "welcome"], {}, "switched off"),
    ("automation", ["show", "STORE", "welcome"], {}, ""),
    ("automation_rules", ["add-presets", "STORE"], {"language": "en"}, "automation rules added"),
    ("automation_rules", ["upcoming", "STORE"], {}, ""),
    ("billing", ["show", "STORE"], {}, ""),
    ("billing", ["plan", "STORE"], {"included": 100}, "plan set"),
    ("billing", ["alert", "STORE"], {"below": 100}, "low-balance alert set"),
    ("campaign", ["start", "DRAFT"], {}, "start"),
    ("campaign", ["cancel", "SENDING"], {}, "cancel"),
    ("campaign_status", ["DRAFT"], {}, ""),
    ("campaign_status", ["SENDING"], {"messages": True}, "messages exported"),
    ("campaign_status", ["SENDING"], {"csv": True}, "report exported"),
    ("conversions", [], {}, "conversions attributed"),
    ("consent", ["opt-out", PHONE], {"store": "STORE"}, "opt-out recorded"),
    ("contact_import", ["start", "IMPORT"], {}, "import started"),
    ("contact_import", ["status", "IMPORT"], {}, ""),
    ("contact_import", ["rejected", "IMPORT"], {}, "rejected rows exported"),
    ("contact_import", ["cancel", "IMPORT"], {}, "import cancelled"),
    ("create_operator", ["new@example.com"], {"role": "viewer"}, "operator created"),
    ("create_segment", ["STORE", "men"], {"gender": "male"}, "added"),
    ("create_segment", ["STORE", "men"], {"gender": "male", "count": True}, ""),
    ("custom_fields", ["add", "STORE", "city"], {}, "added"),
    ("custom_fields", ["list", "STORE"], {}, ""),
    ("exports", ["request", "STORE", "ledger"], {}, "export requested"),
    ("exports", ["list", "STORE"], {}, ""),
    ("list_members", ["add", "STORE", "all"], {"number": ["+306900000077"]}, "members added"),
    ("list_members", ["remove", "STORE", "all"], {"number": [PHONE]}, "members removed"),
    ("message_log", [], {"store": "STORE"}, "messages exported"),
    ("create_store", ["shop@example.com"], {}, "added"),
    ("credit_package", ["Small"], {"credits": 100, "price": "9"}, "package set"),
    ("decisions", ["list"], {}, ""),
    (
        "customer_events",
        ["STORE"],
        {"number": PHONE, "type": "visit", "start": "2026-01-01"},
        "customer events recorded",
    ),
    ("import_contacts", ["STORE", "FILE"], {}, "import started"),
    ("import_contacts", ["STORE", "FILE"], {"dry_run": True}, ""),
    ("off_board", ["STORE"], {"yes": True}, "store off-boarded"),
    ("off_board", ["STORE"], {"dry_run": True}, ""),
    ("operator", ["olga@example.com"], {}, ""),
    ("operator", ["olga@example.com"], {"role": "viewer"}, "role changed"),
    ("person", ["export", PHONE], {}, "personal data exported"),
    ("person", ["correct", PHONE], {"set": ["first_name=Maria"]}, "personal data corrected"),
    ("person", ["restrict", PHONE], {"reason": "disputed"}, "restricted"),
    ("person", ["object", PHONE], {}, "objection"),
    ("person", ["erase", PHONE], {"yes": True}, "personal data erased"),
    ("redeem", ["STORE", "CODE"], {}, "offer redeemed"),
    ("replies", ["list"], {}, ""),
    ("run_birthday", [], {}, "birthday run"),
    ("run_birthday", [], {"dry_run": True}, ""),
    ("run_pii_retention", [], {}, "retention run"),
    ("send_campaign", ["STORE"], {"name": "x", "text": "Hi", "list_name": "all"}, "start"),
    ("send_messages", ["STORE", "TEXTS"], {"yes": True}, "direct messages sent"),
    ("send_messages", ["STORE", "TEXTS"], {"dry_run": True}, ""),
    ("sending", ["status"], {}, ""),
    ("sending", ["go-on", "restored"], {}, "sending goes on"),
    ("signup", ["tags", "STORE"], {}, ""),
    ("signup", ["add-tag", "STORE"], {"label": "Door"}, "added"),
    ("signup", ["page", "STORE"], {"display_name": "Anna's"}, "changed"),
    ("signup", ["signups", "STORE"], {}, ""),
    ("store", ["STORE"], {}, ""),
    ("store", ["STORE"], {"set": ["company=New"]}, "store changed"),
    ("store_report", ["STORE"], {}, "report exported"),
    ("suppressions", ["export"], {}, "suppressions exported"),
    ("suppressions", ["import", "FILE"], {}, "suppressions imported"),
    ("templates", ["list", "STORE"], {}, ""),
    ("templates", ["add-library", "STORE"], {}, "starter templates"),
    ("top_up", ["STORE", "50"], {}, "top up"),
    ("unknown", ["delivered", "SENDING"], {}, ""),
    ("watchdog", [], {"dry_run": True}, ""),
]


def own_commands():
    return {name for name, app in get_commands().items() if app in settings.PROJECT_APPS}


def test_every_command_is_declared():
    declared = {name for name, *_ in COMMANDS} | RUNS_A_PROCESS | set(NOT_ON_AN_INSTALLATION)
    assert own_commands() == declared | set(ELSEWHERE)


@pytest.fixture
def things(tmp_path):
    """What stands in for the names in capitals."""
    store = make_store(phone_region="GR")
    target = make_list(store, 3)
    sending = enqueue.enqueue_campaign(make_campaign(store, target).pk)
    draft = make_campaign(store, target)
    Automation.objects.create(
        owner=store, type="welcome_message", message_body="Hi", is_active=True
    )
    file = tmp_path / "customers.csv"
    file.write_text("phone\n+306900000009\nnothing\n")
    texts = tmp_path / "texts.csv"
    texts.write_text("number,text\n+306900000001,Hello\n")
    made = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "a.csv", [b"phone\n+306900000008\n"]
    )
    call_command("create_operator", "olga@example.com", role="operator", password=PASSWORD)
    message = CampaignMessage.objects.filter(campaign=sending).first()
    CampaignMessage.objects.filter(pk=message.pk).update(status="sent")
    return {"STORE": store.email, "DRAFT": str(draft.pk), "SENDING": str(sending.pk),
            "FILE": file, "TEXTS": texts, "IMPORT": str(made.pk),
            "CODE": message.tracking_id}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "arguments", "options", "entry"), COMMANDS)
def test_a_command_writes_what_it_did(things, name, arguments, options, entry, capsys):
    if name == "sending":
        SendingStop.objects.create(reason="restored", by="test")
    arguments = [things.get(argument, argument) for argument in arguments]
    options = {key: things.get(value, value) if isinstance(value, str) else value
               for key, value in options.items()}  # fmt: skip
    if name == "import_contacts" or name == "suppressions":
        arguments = [Path(a) if str(a).endswith(".csv") else a for a in arguments]
    before, rows = actions_in_the_trail(), rows_besides_the_trail()
    call_command(name, *arguments, **options)
    written = actions_in_the_trail()[len(before) :]
    if entry:
        assert entry in written
    else:
        assert written == [] and rows_besides_the_trail() == rows


# Addresses and actions of the admin


def fill(sandbox):
    """Rows of every kind, on which an action does something."""
    store = make_store()
    make_campaign(store, make_list(store, 2))
    rows_of_every_kind(store, sandbox)
    Wallet.objects.update(reserved_balance=50)
    CreditReservation.objects.update(amount=50)  # some of the rows were put into its batch
    lifecycle.create_unstarted_import_or_refuse(store.pk, "a.csv", [b"phone\n+306900000008\n"])


def check_that_entry_is_written(answer, before, after, known, door):
    """A download, or a change of any row of ours, has an entry."""
    changed = {table for table, found in after.items() if found != before[table]}
    is_download = "attachment" in answer.get("Content-Disposition", "")
    if changed or is_download:
        assert len(actions_in_the_trail()) > known, (door, changed)
    return bool(changed or is_download)


@pytest.mark.slow
def test_every_download_and_change_by_an_address_is_in_the_trail(client, sandbox):
    fill(sandbox)
    client.force_login(User.objects.create_superuser("root@example.com"))
    store, campaign = User.objects.get(email="alice@example.com"), Campaign.objects.first()
    found = {
        "campaign": campaign.pk,
        "contactimport": ContactImport.objects.get().pk,
        "user": store.pk,
        "stores": store.pk,
        "contact": Contact.objects.first().pk,
    }
    downloads, changes = [], []
    after = rows_besides_the_trail()
    for address in sorted(set(addresses()) - OPEN):
        for part, pk in found.items():
            address = address.replace(f"/{part}/1/", f"/{part}/{pk}/")
        if "account" in address or "logout" in address:
            continue  # one's own; test_operators
        for method in ("get", "post"):
            before, known = after, len(actions_in_the_trail())
            answer = getattr(client, method)(f"/{address}")
            after = rows_besides_the_trail()
            if check_that_entry_is_written(answer, before, after, known, (method, address)):
                (downloads if method == "get" else changes).append(address)
    assert len(downloads) >= 5, downloads
    assert changes


@pytest.mark.slow
def test_every_action_that_changes_or_exports_is_in_the_trail(client, sandbox):
    fill(sandbox)
    every = list(actions())
    client.force_login(User.objects.get(email="root@example.com"))
    acted = set()
    for page, model, name in sorted(every, key=lambda one: one[2] == "delete_selected"):
        before, known = rows_besides_the_trail(), len(actions_in_the_trail())
        chosen = list(model.objects.values_list("pk", flat=True))
        form = {"action": name, "_selected_action": chosen, "confirmed": "1", "post": "yes",
                "reason": "a dispute"}  # fmt: skip
        answer = client.post(page, form)
        after = rows_besides_the_trail()
        if check_that_entry_is_written(answer, before, after, known, (page, name)):
            acted.add(name)
    assert {
        "export_person",
        "erase_or_restrict_person",
        "delete_selected",
        "cancel",
    } <= acted, acted


def test_what_an_operator_enters_in_a_form_is_in_the_trail(admin_client):
    store = make_store()
    form = {
        "owner": store.pk,
        "name": "spring",
        "text": "Hello",
        "category": "generic",
        "language": "en",
    }
    admin_client.post("/admin/messaging/messagetemplate/add/", form)
    entry = AuditEntry.objects.get(action="added")
    assert entry.owner_id == store.pk and entry.subject.startswith("message template")
    pk = entry.subject.split()[-1]
    admin_client.post(f"/admin/messaging/messagetemplate/{pk}/change/", form | {"name": "autumn"})
    entry = AuditEntry.objects.get(action="changed")
    assert entry.details == {"fields": ["Name"]}


def test_the_list_names_who_did_what_with_what(client):
    anna = User.objects.create_superuser("anna@example.com", PASSWORD)
    client.force_login(anna)
    store = make_store(company="Anna's")
    sale = make_campaign(store, make_list(store, 2), name="Spring sale")
    gone = make_campaign(store, None, name="Old news")
    audit.write_entry("cancel", gone, by=anna, messages=4000, fields=["Name", "Text"])
    audit.write_entry("role changed", anna, by="command line")
    pk, _ = gone.pk, gone.delete()
    enqueue.enqueue_campaign(sale.pk, by=anna)
    page = client.get("/admin/astronote/auditentry/").text
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "anna@example.com start campaign Spring sale" in shown
    assert f"cancel campaign {pk} (deleted)" in shown
    assert "fields: Name, Text; messages: 4,000" in shown
    assert "command line role changed operator anna@example.com" in shown
    assert f'href="/admin/campaigns/campaign/{sale.pk}/change/"' in page


def test_the_history_of_a_row_is_its_audit_trail(admin_client):
    store = make_store()
    sale, other = (make_campaign(store, None, name=name) for name in ("Spring", "Autumn"))
    for campaign in (sale, other):
        audit.write_entry("pause", campaign, by="test")
    history = f"/admin/campaigns/campaign/{sale.pk}/history/"
    page = admin_client.get(history, follow=True).text
    assert "campaign Spring" in page and "campaign Autumn" not in page


def test_the_queue_dashboard_writes_who_emptied_a_queue(admin_client):
    admin_client.post("/admin/django_rq/dashboard/queues/0/empty/", {"post": "yes"})
    admin_client.post("/admin/django_rq/queues/0/empty/", {"post": "yes"})
    assert "queues changed" in actions_in_the_trail()


def test_the_trail_names_money_and_rows_once_and_in_words(admin_client, sandbox):
    payment = fill_money(make_store())
    page = admin_client.get("/admin/astronote/auditentry/").text
    assert f"payment {payment.pk} of EUR 49.00" in page and "payment payment" not in page
    assert "plan plan" not in page and "refund or dispute dispute" not in page
    assert "amount: EUR 49.00" in page and "4,900" not in page
    assert "billing address" in page and "billing_address" not in page


def test_the_trail_is_filtered_by_each_action_that_it_has(admin_client):
    store = make_store()
    for action in ("pause", "resume", "pause"):
        audit.write_entry(action, store, by="watchdog")
    page = admin_client.get("/admin/astronote/auditentry/")
    assert "?action=pause" in page.text and "?action=resume" in page.text
    found = admin_client.get("/admin/astronote/auditentry/?action=pause").context["cl"]
    assert found.result_count == 2
