"""The declaration of personal data is whole, and the retention rules keep what it says."""

import json

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from compliance import personal_data, retention


def test_every_column_of_text_is_declared():
    assert list(personal_data.undeclared()) == []
    assert list(personal_data.unknown()) == []


def test_a_column_that_is_not_declared_is_named(monkeypatch):
    left = [held for held in personal_data.PERSONAL if held.model != "contacts.Contact"]
    monkeypatch.setattr(personal_data, "PERSONAL", left)
    with pytest.raises(CommandError, match="contacts.Contact.phone"):
        call_command("audit_pii", "--json")


def test_the_audit_lists_table_column_purpose_and_period(capsys):
    call_command("audit_pii", "--json")
    rows = json.loads(capsys.readouterr().out)
    assert {"table": "contacts_contact", "column": "phone"}.items() <= rows[3].items()
    assert all(row["purpose"] and row["period"] for row in rows)
    call_command("audit_pii")
    assert "messaging_webhookevent" in capsys.readouterr().out


def test_what_is_kept_for_the_period_has_a_rule():
    ruled = {rule.table.partition(":")[0] for rule in retention.rules()}
    for held in personal_data.PERSONAL:
        if personal_data.PERIOD in held.period or held.period == personal_data.UNTIL_RETENTION:
            table = apps.get_model(held.model)._meta.db_table
            with_contact = held.fields == "to text" and "direct" not in table
            assert table in ruled or with_contact, table
