"""The declaration of personal data is complete, and the retention rules keep what it says."""

import json

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from astronote.operations import registry
from astronote.operations.personal_data import (
    FOR_AUDIT_DAYS,
    FOR_RETENTION_DAYS,
    UNTIL_CONTACT_RETENTION,
    Subjects,
)
from compliance import personal_data, record, retention
from tests.support.factories import make_store


def test_every_column_that_may_hold_personal_data_is_declared():
    assert list(personal_data.undeclared_columns_of_personal_types()) == []
    assert list(personal_data.declared_columns_that_do_not_exist()) == []


@pytest.mark.django_db
def test_a_column_that_is_not_declared_is_named(monkeypatch):
    left = [held for held in registry.personal_data if held.model != "contacts.Contact"]
    monkeypatch.setattr(registry, "personal_data", left)
    with pytest.raises(CommandError, match=r"contacts\.Contact\.phone"):
        call_command("audit_pii", "--json")


def test_a_time_or_an_address_of_djangos_own_models_must_be_declared_too(monkeypatch):
    left = [held for held in registry.personal_data if held.model != "admin.LogEntry"]
    monkeypatch.setattr(registry, "personal_data", left)
    missing = set(personal_data.undeclared_columns_of_personal_types())
    assert {"admin.LogEntry.object_repr", "admin.LogEntry.action_time"} <= missing
    none = [one for one in registry.no_personal_data if one.model != "messaging.Wallet"]
    monkeypatch.setattr(registry, "no_personal_data", none)
    assert "messaging.Wallet.updated_at" in personal_data.undeclared_columns_of_personal_types()


def test_a_yes_or_no_a_number_and_a_link_to_a_person_must_be_declared_too(monkeypatch):
    left = [one for one in registry.personal_data if one.subjects == Subjects.CUSTOMERS]
    left = [one for one in left if one.model != "contacts.Contact"]
    monkeypatch.setattr(registry, "personal_data", left)
    monkeypatch.setattr(registry, "no_personal_data", [])
    missing = set(personal_data.undeclared_columns_of_personal_types())
    assert {
        "contacts.Contact.is_subscribed",
        "contacts.Contact.legal_hold",
        "astronote.AuditEntry.actor",
        "campaigns.Campaign.total",
        "campaigns.Campaign.created_by",
        "campaigns.ServiceConfirmation.asked_by",
        "astronote.User_groups.user",
    } <= missing
    assert "contacts.ConsentEvent.contact" not in missing
    not_of_persons = {"contacts.Contact.id", "contacts.Contact.owner", "campaigns.Campaign.list"}
    assert not missing & not_of_persons


def test_what_is_left_out_of_the_record_is_left_out_for_a_reason():
    assert all(one.why for one in registry.no_personal_data)
    left_out = record.describe_columns_without_personal_data()
    [balance] = [row for row in left_out if "balance" in row["columns"]]
    assert "money" in balance["why"]


def test_no_column_is_declared_twice():
    declared = [
        f"{one.model}.{name}"
        for one in (*registry.personal_data, *registry.no_personal_data)
        for name in one.fields
    ]
    assert sorted(set(declared)) == sorted(declared)


@pytest.mark.django_db
def test_the_audit_prints_the_record_of_processing(capsys, settings):
    settings.CONTROLLER_NAME = "Blue Door Ltd, Athens"
    call_command("audit_pii", "--json")
    record = json.loads(capsys.readouterr().out)
    columns = [(row["table"], name) for row in record["tables"] for name in row["columns"]]
    for column in (
        ("contacts_contact", "phone"),
        ("contacts_contact", "is_subscribed"),
        ("contacts_contact", "legal_hold"),
        ("django_admin_log", "object_repr"),
        ("astronote_session", "session_data"),
        ("contacts_importfilechunk", "data"),
    ):
        assert column in columns
    told = ("purpose", "period", "legal_ground", "categories", "subjects", "found", "erasure")
    assert all(row[name] for row in record["tables"] for name in told)
    assert record["controller"]["name"] == "Blue Door Ltd, Athens"
    assert record["controller"]["contact"] == "not stated: set CONTROLLER_CONTACT"
    assert any("Mitto" in one for one in record["recipients"])
    sources = {row["table"]: row["source"] for row in record["tables"]}
    assert "pages of opting out" in sources["messaging_webhookevent"]
    assert record["transfers"] and record["security_measures"] and "processor" in record["role"]
    assert {"rq:*", "astronote:*"} <= {place["pattern"] for place in record["places"]}
    call_command("audit_pii")
    printed = capsys.readouterr().out
    for part in ("Blue Door Ltd", "messaging_webhookevent", "Redis: jobs", "security measures"):
        assert part in printed


@pytest.mark.django_db
def test_the_record_says_for_which_stores_and_what_only_the_installation_can_know(capsys, settings):
    store = make_store("anna", company="Anna's shoes")
    settings.MITTO_RETENTION = ""
    settings.EMAIL_URL = "smtp://user:secret@mail.example.com"
    call_command("audit_pii")
    printed = capsys.readouterr().out
    assert f"Anna's shoes ({store.email})" in printed
    assert "It keeps them: not stated: set MITTO_RETENTION" in printed
    assert "not stated: set THIRD_COUNTRY_TRANSFERS" in printed
    assert "mail.example.com" in printed
    assert "secret" not in printed
    settings.MITTO_RETENTION = "six months"
    settings.THIRD_COUNTRY_TRANSFERS = "Albania: explicit consent"
    call_command("audit_pii")
    printed = capsys.readouterr().out
    assert "It keeps them: six months" in printed
    assert "Albania: explicit consent" in printed


@pytest.mark.django_db
def test_the_record_names_the_grounds_of_service_messages_and_of_legal_holds():
    found = record.record_of_processing()
    rows = {(row["table"], name): row for row in found["tables"] for name in row["columns"]}
    assert "6(1)(b)" in rows["campaigns_campaignmessage", "text"]["legal_ground"]
    hold = rows["contacts_contact", "legal_hold"]
    assert "17(3)(e)" in hold["legal_ground"]
    assert "until an operator lifts" in hold["period"]
    assert any("legal hold" in line for line in found["kept_after_an_erasure"])
    assert any("contacts_suppression" in line for line in found["kept_after_an_erasure"])


@pytest.mark.django_db
def test_operators_are_persons_of_the_record():
    rows = record.describe_declared_tables()
    of_operators = {row["table"] for row in rows if "operators" in row["subjects"]}
    assert {
        "astronote_auditentry",
        "django_admin_log",
        "axes_accesslog",
        "astronote_session",
        "astronote_user_groups",
        "campaigns_campaign",
        "campaigns_serviceconfirmation",
    } <= of_operators


def test_an_operator_sees_the_record_of_processing(admin_client):
    page = admin_client.get("/admin/compliance/retentionrun/personal-data/").text
    for part in ("django_admin_log", "Mitto AG", "CONTROLLER_NAME", "rq:*"):
        assert part in page


def test_what_is_kept_for_a_period_has_a_rule():
    ruled = {rule.table for rule in retention.retention_rules()}
    of_contact = "the contact's rows go with it"
    for held in registry.personal_data:
        table = apps.get_model(held.model)._meta.db_table
        goes_with = of_contact if held.period.startswith(str(UNTIL_CONTACT_RETENTION)) else ""
        if FOR_RETENTION_DAYS in held.period or held.period == FOR_AUDIT_DAYS:
            assert table in ruled, table
        elif goes_with:
            assert table in ruled or held.found_by.contact, table
