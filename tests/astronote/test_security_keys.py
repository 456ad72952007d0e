"""Who may begin with a security key; tests/browser has the whole way with a key."""

from datetime import timedelta

import pytest
from axes.models import AccessFailureLog
from django.test import Client
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp_webauthn.models import WebAuthnCredential

from astronote.accounts import second_factor
from astronote.models import Operator, User

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"
OLGA = "olga@example.com"
BEGIN, COMPLETE = "/admin/security-keys/login/begin/", "/admin/security-keys/login/complete/"
ADD = "/admin/security-keys/add/begin/"


def operator(email=OLGA):
    return Operator.objects.create_superuser(email, PASSWORD)


def with_app(account):
    key = second_factor.new_hex_key_of_app()
    second_factor.replace_authenticator_app(account, key, f"{TOTP(bytes.fromhex(key)).token():06}")


def with_key(account, name=b"key"):
    with_app(account)
    return WebAuthnCredential.objects.create(user=account, credential_id=name, public_key=b"x")


def show_password(client, email=OLGA, password=PASSWORD):
    return client.post("/admin/login/", {"username": email, "password": password})


def test_a_key_is_asked_for_only_after_the_right_password(client):
    with_key(operator())
    assert client.post(BEGIN).status_code == 403
    show_password(client, password="wrong")
    assert client.post(BEGIN).status_code == 403
    page = show_password(client)
    assert "or use your security key" in page.text and "passkey-verification" in page.text
    (allowed,) = client.post(BEGIN).json()["allowCredentials"]
    assert allowed["id"] == "a2V5"
    assert "_auth_user_id" not in client.session and Client().post(BEGIN).status_code == 403


def test_who_has_no_key_is_not_asked_for_one(client):
    with_app(operator())
    assert "security key" not in show_password(client).text
    assert client.post(BEGIN).status_code == 403


@pytest.mark.parametrize("change", ["disabled", "new password", "long ago"])
def test_the_password_opens_the_way_to_the_key_for_minutes_and_while_it_holds(
    client, monkeypatch, change
):
    account = operator()
    with_key(account)
    show_password(client)
    if change == "disabled":
        User.objects.filter(pk=account.pk).update(is_active=False)
    elif change == "new password":
        account.set_password("another-long-password")
        account.save()
    else:
        later = timezone.now() + timedelta(minutes=6)
        monkeypatch.setattr("astronote.accounts.security_keys.time.time", later.timestamp)
    assert client.post(BEGIN).status_code == 403


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"\xff", b"[" * 100_000, b"null", b'{"id": "a2V5"}']
)
def test_what_no_key_has_signed_logs_nobody_in_and_counts_as_a_failed_login(client, body):
    with_key(operator())
    show_password(client)
    client.post(BEGIN)
    answer = client.post(COMPLETE, body, content_type="application/json")
    assert 400 <= answer.status_code < 500
    assert "_auth_user_id" not in client.session
    if answer.status_code == 422:
        assert AccessFailureLog.objects.filter(username=OLGA).count() == 1
    again = client.post(COMPLETE, body, content_type="application/json")
    assert 400 <= again.status_code < 500, "a challenge is taken once"


def test_a_key_is_added_only_by_who_is_logged_in_and_has_an_app(client):
    account = operator()
    assert client.post(ADD).url.startswith("/admin/login/")
    client.force_login(account)
    refused = client.post(ADD)
    assert refused.status_code == 403 and "authenticator app first" in refused.json()["detail"]
    with_app(account)
    assert client.post(ADD).status_code == 403, "the session never showed a code"


def test_nobody_removes_the_key_of_another_and_removing_the_factor_removes_keys(client):
    account = operator()
    hers, own = with_key(operator("other@example.com"), b"other"), with_key(account)
    client.force_login(account)
    client.post(f"/admin/account/security-keys/{hers.pk}/remove/")
    client.post(f"/admin/account/security-keys/{2**70}/remove/")
    assert WebAuthnCredential.objects.count() == 2
    client.post(f"/admin/account/security-keys/{own.pk}/remove/")
    assert list(WebAuthnCredential.objects.all()) == [hers]
    second_factor.remove_all_factors_and_audit(hers.user, by="test")
    assert not WebAuthnCredential.objects.exists()
