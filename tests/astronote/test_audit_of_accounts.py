"""What is done to an operator's account is in the audit trail."""

from binascii import unhexlify

import pytest
from django.core.management import call_command
from django_otp.oath import totp
from django_otp_webauthn.models import WebAuthnCredential

from astronote.accounts import operators, second_factor, security_keys
from astronote.accounts.models import Operator
from astronote.models import AuditEntry

pytestmark = pytest.mark.django_db
KEY = "3132333435363738393031323334353637383930"


def written():
    return list(AuditEntry.objects.order_by("pk").values_list("action", "actor_name"))


def test_second_factors_of_an_account_are_in_the_audit_trail():
    account = Operator.objects.create_superuser("bob@example.com")
    second_factor.replace_authenticator_app(account, KEY, f"{totp(unhexlify(KEY)):06}")
    key = WebAuthnCredential.objects.create(
        user=account, credential_id=b"1", public_key=b"1", name="key", transports=[]
    )
    assert security_keys.remove_key(account, key.pk) and not security_keys.remove_key(account, 0)
    second_factor.remove_all_factors_and_audit(account, by="test")
    me = f"account {account.pk}"
    assert written() == [
        ("second factor set up", me), ("recovery codes made", me), ("security key removed", me),
        ("second factor removed", "test"),
    ]  # fmt: skip


def test_a_new_address_of_an_operator_is_in_the_audit_trail(admin_client, admin_user):
    pk = operators.create_operator_and_audit("bob@example.com", "viewer", by="test").pk
    form = {"email": "Bob@example.org", "role": "operator"}
    admin_client.post(f"/admin/astronote/operator/{pk}/change/", form)
    assert Operator.objects.get(pk=pk).email == "bob@example.org"
    me = f"account {admin_user.pk}"
    assert {("operator's address changed", me), ("role changed", me)} <= set(written())


def test_accounts_of_the_command_line_are_in_the_audit_trail(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "long and strange enough")
    call_command("createsuperuser", email="bob@example.com", interactive=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "another strange one")
    call_command("changepassword", "bob@example.com")
    assert written() == [
        ("superuser created", "command line"), ("password changed", "command line"),
    ]  # fmt: skip
    assert {entry.subject for entry in AuditEntry.objects.all()} == {
        f"operator {Operator.objects.get().pk}"
    }
