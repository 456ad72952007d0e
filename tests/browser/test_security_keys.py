"""A security key is added, logs in, and is removed, with an authenticator of Chromium's own."""

import pytest
from axes.models import AccessLog
from django_otp.oath import TOTP
from django_otp_webauthn.models import WebAuthnCredential

from astronote.accounts import second_factor
from astronote.models import AuditEntry, User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
PASSWORD = "a-long-password-of-mine"
ROOT = "root@example.com"
SECURITY_KEY = {
    "protocol": "ctap2",
    "transport": "usb",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
}


@pytest.fixture
def account():
    account = User.objects.create_superuser(ROOT, PASSWORD)
    key = second_factor.new_hex_key_of_app()
    second_factor.replace_authenticator_app(account, key, f"{TOTP(bytes.fromhex(key)).token():06}")
    return account


def show_password(browser, path="/admin/"):
    browser.open(path)
    browser.type("username", ROOT)
    browser.type("password", PASSWORD)
    browser.find("#login-form [type=submit]").click()
    browser.wait_for("Enter also the code of your authenticator app")


def test_a_security_key_takes_the_place_of_a_code_until_it_is_removed(
    browser, settings, account, sandbox
):
    settings.OTP_WEBAUTHN_RP_ID = "localhost"
    settings.OTP_WEBAUTHN_ALLOWED_ORIGINS = [browser.site]
    settings.SECOND_FACTOR_REQUIRED = True
    recovery_code = second_factor.replace_recovery_codes_and_audit(account)[0]
    browser.driver.execute_cdp_cmd("WebAuthn.enable", {})
    added = browser.driver.execute_cdp_cmd(
        "WebAuthn.addVirtualAuthenticator", {"options": SECURITY_KEY}
    )

    show_password(browser)
    assert not browser.all("#passkey-verification-button"), "nobody has a key yet"
    browser.type("password", PASSWORD)
    browser.type("code", recovery_code)
    browser.find("#login-form [type=submit]").click()
    browser.wait_for("In progress")
    browser.open("/admin/account/")
    browser.click("Add a security key")
    browser.wait_for("not used yet")

    browser.driver.delete_all_cookies()
    show_password(browser, "/admin/contacts/contact/")
    browser.click("Use your security key")
    browser.wait_for("Imports")
    assert browser.driver.current_url == f"{browser.site}/admin/contacts/contact/"
    login = AccessLog.objects.latest("pk")
    assert login.username == ROOT

    browser.open("/admin/account/")
    browser.wait_for("last used")
    browser.click("Remove")
    browser.wait_for("was removed")
    assert not WebAuthnCredential.objects.exists()
    actions = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions)[-2:] == ["security key added", "security key removed"]
    browser.driver.execute_cdp_cmd("WebAuthn.removeVirtualAuthenticator", added)
