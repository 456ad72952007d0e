"""The declaration of personal data is complete, and the retention rules keep what it says."""

import json

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from astronote.operations import registry
from astronote.operations.registry import FOR_RETENTION_DAYS, UNTIL_CONTACT_RETENTION
from compliance import personal_data, retention


def test_every_column_of_text_is_declared():
    assert list(personal_data.undeclared_columns()) == []
    assert list(personal_data.unknown_columns()) == []


def test_a_column_that_is_not_declared_is_named(monkeypatch):
    left = [held for held in registry.personal_data if held.model != "contacts.Contact"]
    monkeypatch.setattr(registry, "personal_data", left)
    with pytest.raises(CommandError, match=r"contacts\.Contact\.phone"):
        call_command("audit_pii", "--json")


def test_the_audit_lists_table_column_purpose_and_period(capsys):
    call_command("audit_pii", "--json")
    rows = json.loads(capsys.readouterr().out)
    columns = [(row["table"], row["column"]) for row in rows]
    assert ("contacts_contact", "phone") in columns
    assert all(row["purpose"] and row["period"] for row in rows)
    call_command("audit_pii")
    assert "messaging_webhookevent" in capsys.readouterr().out


def test_what_is_kept_for_the_period_has_a_rule():
    ruled = {rule.table for rule in retention.retention_rules()}
    for held in registry.personal_data:
        if FOR_RETENTION_DAYS in held.period or held.period == UNTIL_CONTACT_RETENTION:
            table = apps.get_model(held.model)._meta.db_table
            with_contact = held.fields == ("to", "text") and "direct" not in table
            assert table in ruled or with_contact, table
