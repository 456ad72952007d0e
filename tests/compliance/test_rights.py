"""Access, erasure and objection, at one store and everywhere."""

import io
import json
import zipfile

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from astronote.models import AuditEntry
from astronote.queues import jobs
from campaigns import enqueue
from campaigns.models import CampaignMessage, OfferViewEvent
from compliance import rights
from compliance.person import find_contacts_and_traces_of_person
from compliance.search import find_traces_left_and_kept_for_a_reason
from contacts.importing import lifecycle
from contacts.models import Contact, RejectedRow, Suppression
from messaging import direct_messages, receipts, replies, sending
from messaging.models import WebhookEvent
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.receipts import store_receipts

# An erasure looks into every table, key and file.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PHONE, NAME = "+306900000001", "Unmistakable"
SECRETS = (PHONE[1:], NAME, "unmistakable@example.com")


@pytest.fixture
def stores(sandbox, client, tmp_path):
    """Two stores that know one person in every way there is."""
    made = []
    for name in ("anna", "bella"):
        store = make_store(name)
        target = make_list(store, 3)
        Contact.objects.filter(owner=store, phone=PHONE).update(
            first_name=NAME, email=SECRETS[2], consent_evidence={"name": NAME}
        )
        campaign = make_campaign(store, target, message_text="Hi {{first_name}}")
        enqueue.enqueue_campaign(campaign.pk)
        direct_messages.get_or_enqueue_direct_message(store, PHONE, f"Test for {NAME}", key="k")
        while sending.process_next_batch() != "none due":
            pass
        message = CampaignMessage.objects.get(campaign=campaign, to=PHONE)
        OfferViewEvent.objects.create(
            campaign_message=message, campaign=campaign, owner=store, ip_address="192.0.2.1"
        )
        store_receipts(
            [
                {
                    "messageId": message.provider_message_id,
                    "status": "Delivered",
                    "destination": PHONE,
                }
            ]
        )
        path = tmp_path / f"{name}.csv"
        path.write_text(f"phone,first name,birthday\n690-000-0001,{NAME},31/31/1990\n")
        lifecycle.run_open_import_unless_running(
            lifecycle.create_import_and_enqueue_or_refuse(store.pk, path).pk
        )
        made.append(store)
    replies.store_replies([{"from": PHONE, "text": f"STOP, {NAME} here"}])
    receipts.apply_received_receipts()
    replies.apply_received_replies()
    assert RejectedRow.objects.count() == 2
    return made


def rows(held, what):
    """The rows of one kind of an export."""
    return [row for one in held["data"] if one["what"] == what for row in one["rows"]]


def test_everything_held_is_handed_out(stores, capsys):
    call_command("person", "export", PHONE)
    held = json.loads(capsys.readouterr().out)
    assert [one["store"] for one in held["stores"]] == ["anna@example.com", "bella@example.com"]
    contacts = rows(held, "contacts.Contact")
    assert [one["first_name"] for one in contacts if "first_name" in one] == [NAME, NAME]
    evidence = [one["consent_evidence"] for one in contacts if "consent_evidence" in one]
    assert evidence == [{"name": NAME}, {"name": NAME}]
    assert [one["list__name"] for one in rows(held, "contacts.ListMembership")] == ["all", "all"]
    assert rows(held, "campaigns.CampaignMessage")[0]["text"].startswith(f"Hi {NAME}")
    assert rows(held, "campaigns.OfferViewEvent")[0]["ip_address"] == "192.0.2.1"
    assert len(rows(held, "messaging.DirectMessage")) == 2
    assert rows(held, "messaging.WebhookEvent")
    assert [one["row"] for one in rows(held, "contacts.RejectedRow")] == [
        ["690-000-0001", NAME, "31/31/1990"]
    ] * 2
    (first, _) = rows(held, "contacts.ImportFileChunk")
    assert first["file_name"] == "anna.csv"
    assert first["rows"] == [
        {"line": 2, "phone": "690-000-0001", "first name": NAME, "birthday": "31/31/1990"}
    ]
    call_command("person", "export", PHONE, "--store", "bella@example.com")
    assert len(json.loads(capsys.readouterr().out)["stores"]) == 1


def test_an_export_says_what_for_how_long_and_what_a_person_may_ask(stores, settings, tmp_path):
    settings.CONTROLLER_NAME, settings.CONTROLLER_CONTACT = "Blue Door Ltd, Athens", "privacy@b.gr"
    held = rights.collect_held_data_of_person_and_audit(PHONE, by="test")
    assert held["controller"]["name"] == "Blue Door Ltd, Athens"
    assert any("Mitto" in one for one in held["recipients"])
    assert any("complaint" in one for one in held["rights"])
    assert held["periods"]["PII_RETENTION_DAYS"].startswith("90 days")
    told = ("purpose", "legal_ground", "period", "categories", "source", "if_erased")
    assert all(one[name] for one in held["data"] for name in told)
    path = tmp_path / "person.html"
    call_command("person", "export", PHONE, "--html", str(path))
    page = path.read_text()
    for part in ("<!doctype html>", "Blue Door Ltd, Athens", "privacy@b.gr", NAME, "complaint"):
        assert part in page
    assert "<script" not in page


def test_an_erasure_leaves_the_person_nowhere(stores, capsys):
    Contact.objects.filter(owner=stores[0], phone=PHONE).update(is_subscribed=False)
    before = Suppression.objects.count()
    person = find_contacts_and_traces_of_person(PHONE, None)
    assert [trace for trace in find_traces_left_and_kept_for_a_reason(person) if not trace.reason]
    assert any(secret.encode() in dump_of_database() for secret in SECRETS)
    call_command("person", "erase", PHONE, "--yes")
    assert "nothing else is left" in capsys.readouterr().out
    assert [
        trace for trace in find_traces_left_and_kept_for_a_reason(person) if not trace.reason
    ] == []
    for secret in SECRETS:
        assert secret.encode() not in dump_of_database()
        assert secret.encode().hex().encode() not in dump_of_database()
        assert secret.encode() not in dump_of_redis()
    assert Suppression.objects.count() == before
    assert Contact.objects.count() == 4
    assert AuditEntry.objects.filter(action="personal data erased").count() == 1


def dump_of_database():
    """Every row of every table, as pg_dump would write its data; bytes are in hexadecimal."""
    pieces = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            with cursor.copy(f'COPY "{table}" TO STDOUT') as copy:
                pieces += map(bytes, copy)
    return b"".join(pieces)


def dump_of_redis():
    redis = jobs.redis_connection()
    return b"".join(key + redis.dump(key) for key in redis.scan_iter())


def test_an_erasure_at_one_store_is_not_one_at_another(stores):
    rights.erase_or_restrict_person_by_phone(PHONE, stores[0].pk, by="test")
    assert not Contact.objects.filter(owner=stores[0], phone=PHONE).exists()
    other = Contact.objects.get(owner=stores[1], phone=PHONE)
    assert other.first_name == NAME
    assert RejectedRow.objects.count() == 1
    payloads = WebhookEvent.objects.filter(event_type="dlr").order_by("pk")
    assert [bool(event.payload) for event in payloads] == [False, True]
    assert CampaignMessage.objects.filter(contact=other, text__contains=NAME).exists()


def test_an_erasure_asks_first(stores, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda question: "n")
    with pytest.raises(CommandError, match="nothing was erased"):
        call_command("person", "erase", PHONE)
    assert Contact.objects.filter(phone=PHONE).count() == 2


def test_a_stop_that_waits_is_heard_before_its_number_is_erased(stores):
    store = stores[1]
    Suppression.objects.all().delete()
    Contact.objects.update(is_subscribed=True)
    replies.store_replies([{"from": PHONE, "text": "stop"}])
    rights.erase_or_restrict_person_by_phone(PHONE, by="test")
    assert Suppression.objects.filter(owner=store).count() == 1
    assert not WebhookEvent.objects.filter(status="received").exists()


def test_what_is_wrong_is_corrected(stores, capsys):
    call_command("person", "correct", PHONE, "--set", "first_name=Maria", "--set", "gender=")
    assert "corrected at 2 stores" in capsys.readouterr().out
    assert set(Contact.objects.filter(phone=PHONE).values_list("first_name", flat=True)) == {
        "Maria"
    }
    with pytest.raises(CommandError, match="valid email"):
        call_command("person", "correct", PHONE, "--set", "email=nonsense")
    with pytest.raises(CommandError, match="expected first_name"):
        call_command("person", "correct", PHONE, "--set", "is_subscribed=1")


def test_an_objection_ends_marketing_and_service(stores, capsys):
    Contact.objects.update(is_subscribed=True)
    call_command("person", "object", PHONE)
    assert "4 consents withdrawn" in capsys.readouterr().out
    contacts = Contact.objects.filter(phone=PHONE)
    assert not contacts.filter(is_subscribed=True).exists()
    assert not contacts.filter(service_allowed=True).exists()


def test_an_operator_downloads_and_erases(stores, admin_client):
    contact = Contact.objects.get(owner=stores[0], phone=PHONE)
    chosen = {"_selected_action": [contact.pk]}
    url = "/admin/contacts/contact/"
    answer = admin_client.post(url, chosen | {"action": "export_person"})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        held = json.loads(file.read(f"contact-{contact.pk}.json"))
        page = file.read(f"contact-{contact.pk}.html").decode()
    assert rows(held, "contacts.Contact")[0]["first_name"] == NAME
    shown = admin_client.post(url, chosen | {"action": "show_person"}).text
    for text in (page, shown):
        for part in (NAME, "690-000-0001", "192.0.2.1", "consent, art. 6(1)(a)", "Mitto"):
            assert part in text
    asked = admin_client.post(url, chosen | {"action": "erase_or_restrict_person"})
    assert "for good" in asked.text
    assert Contact.objects.filter(pk=contact.pk).exists()
    admin_client.post(url, chosen | {"action": "erase_or_restrict_person", "confirmed": "1"})
    assert not Contact.objects.filter(pk=contact.pk).exists()
    assert Contact.objects.filter(owner=stores[1], phone=PHONE).exists()
