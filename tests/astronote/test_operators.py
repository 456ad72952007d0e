"""Operators: links to set a password, second factor, sessions, disabling, and who may do it."""

import json
import re
from datetime import timedelta

import pytest
from axes.models import AccessFailureLog, AccessLog
from django.conf import settings
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import clear_url_caches
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from astronote import urls
from astronote.accounts import password_links, second_factor
from astronote.accounts.views import ForgottenPasswordView
from astronote.models import AuditEntry, Operator, Session, User
from tests.support.database import columns_containing

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"
ANOTHER = "another-long-password"
OLGA = "olga@example.com"


def operator(role="operator", email=OLGA):
    call_command("create_operator", email, role=role, password=PASSWORD)
    return Operator.objects.get(email=email)


def log_in(client, email=OLGA, password=PASSWORD, code="", **headers):
    form = {"username": email, "password": password, "code": code}
    return client.post("/admin/login/", form, **headers)


def is_let_in(client, page=""):
    return client.get(f"/admin/{page}").status_code == 200


def actions():
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


def path_of_link(text):
    return re.search(r"http://127.0.0.1:1(/admin/set-password/\S+?)[\s<]", text + " ")[1]


def set_password(client, path, password=ANOTHER):
    page = client.get(path, follow=True)
    form = {"new_password1": password, "new_password2": password}
    return client.post(page.request["PATH_INFO"], form, follow=True)


def code_of(account, steps=0):
    """A code that the account's app shows; of another step, since each is taken once."""
    totp = TOTP(bytes.fromhex(TOTPDevice.objects.get(user=account).key))
    totp.time = timezone.now().timestamp() + 30 * steps
    return f"{totp.token():06}"


def with_second_factor(account):
    """Sets it up as the account's page does; returns the recovery codes."""
    key = second_factor.new_hex_key_of_app()
    totp = TOTP(bytes.fromhex(key))
    totp.time = timezone.now().timestamp() - 30
    return second_factor.replace_authenticator_app(account, key, f"{totp.token():06}")


def test_an_invited_operator_sets_the_password_by_a_link_that_works_once(client, capsys):
    call_command("create_operator", OLGA, role="viewer")
    path = path_of_link(capsys.readouterr().out)
    assert "too short" in set_password(client, path, "short").text
    assert "Your password is set" in set_password(client, path).text
    assert log_in(client, password=ANOTHER).status_code == 302 and is_let_in(client)
    assert "This link was used" in Client().get(path, follow=True).text
    assert actions() == ["operator created", "password link made", "password set by link"]


def test_a_link_holds_for_a_day_and_no_longer(client, capsys, settings):
    call_command("create_operator", OLGA, role="viewer")
    path = path_of_link(capsys.readouterr().out)
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert "too old" in client.get(path, follow=True).text


def test_a_link_of_an_operator_who_was_disabled_holds_no_more(client, capsys):
    call_command("create_operator", OLGA, role="viewer")
    path = path_of_link(capsys.readouterr().out)
    call_command("operator", OLGA, disable=True)
    assert "This link was used" in client.get(path, follow=True).text
    call_command("operator", OLGA, enable=True)
    assert "Your password is set" in set_password(client, path).text


def test_an_administrator_makes_a_link_and_the_new_password_ends_the_sessions(client):
    account, theirs = operator(), Client()
    log_in(theirs)
    client.force_login(operator("administrator", "anna@example.com"))
    page = client.post(f"/admin/astronote/operator/{account.pk}/do/link/")
    set_password(Client(), path_of_link(page.text))
    assert not is_let_in(theirs)
    assert log_in(Client(), password=PASSWORD).status_code == 200, "the old one does not log in"


@pytest.fixture
def with_mail(settings, monkeypatch):
    """E-mail is configured, and sent before the answer."""
    settings.EMAIL_URL = "smtp://mail.example"
    monkeypatch.setattr(password_links._mails, "submit", lambda send, message: send(message))
    route = urls.path(
        "admin/forgotten-password/",
        ForgottenPasswordView.as_view(),
        name="admin_password_reset",
    )
    monkeypatch.setattr(urls, "urlpatterns", [route, *urls.urlpatterns])
    clear_url_caches()
    yield
    monkeypatch.undo()
    clear_url_caches()


def test_who_forgot_the_password_gets_a_link_by_mail_and_strangers_learn_nothing(with_mail, client):
    operator()
    elsewhere = {"Host": "localhost", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil"}
    User.objects.create_user("store@example.com")
    assert "/admin/forgotten-password/" in client.get("/admin/login/").text
    answers = [
        client.post("/admin/forgotten-password/", {"email": email}, follow=True, headers=elsewhere)
        for email in ("Olga@example.com", OLGA, "store@example.com", "nobody@example.com")
    ]
    assert len({re.sub(r'value="\w+"', "", answer.text) for answer in answers}) == 1
    (sent,) = mail.outbox  # once in ten minutes
    assert sent.to == [OLGA]
    assert f"{settings.PUBLIC_WEB_BASE_URL}/admin/set-password/" in sent.body
    assert "evil" not in sent.body
    assert "Your password is set" in set_password(client, path_of_link(sent.body)).text


def test_without_mail_no_page_offers_to_send_one(client):
    assert "forgotten" not in client.get("/admin/login/").text.lower()
    assert client.get("/admin/forgotten-password/", follow=True).status_code in (200, 404)


def test_a_second_factor_is_set_up_and_then_asked_for(client):
    account = operator()
    log_in(client)
    elsewhere = Client()
    log_in(elsewhere)
    page = client.get("/admin/account/second-factor/")
    key = re.search(r"Key: <code>(\w+)</code>", page.text)[1]
    assert "data:image/svg+xml" in page.text
    refused = client.post("/admin/account/second-factor/", {"code": "000000"})
    assert "not this key" in refused.text and not second_factor.has_confirmed_authenticator_app(
        account
    )
    hexadecimal = client.session["new second factor"]
    assert second_factor.base32_of_hex_key(hexadecimal) == key
    code = f"{TOTP(bytes.fromhex(hexadecimal)).token():06}"
    codes = client.post("/admin/account/second-factor/", {"code": code}).text
    assert len(re.findall(r"<code>[a-z2-7]{16}</code>", codes)) == 10
    assert is_let_in(client) and not is_let_in(elsewhere)
    assert "Enter also the code" in log_in(Client()).text
    assert log_in(Client(), code=code).status_code == 200, "each code is taken once"
    assert log_in(Client(), code=code_of(account, 1)).status_code in (200, 302)


def test_a_code_lets_in_once_and_a_recovery_code_too(client):
    account = operator()
    codes = with_second_factor(account)
    for code in (code_of(account), codes[0], codes[1].upper()):
        visitor = Client()
        assert log_in(visitor, code=code).status_code == 302 and is_let_in(visitor)
        visitor = Client()
        assert log_in(visitor, code=code).status_code == 200 and not is_let_in(visitor)
        # django-otp lets one wait after a wrong code.
        for model in (TOTPDevice, StaticToken.device.field.related_model):
            model.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
    stored = set(StaticToken.objects.values_list("token", flat=True))
    assert len(stored) == 8 and not stored & set(codes)


def test_wrong_codes_count_as_failed_logins(client):
    with_second_factor(operator())
    for _ in range(10):
        log_in(client, code="000000")
    assert "Too many failed logins" in log_in(client, code="000000").text


def test_wrong_old_passwords_count_as_failed_logins_and_end_the_session(client):
    """Who found a session open does not learn the password by trying."""
    operator()
    log_in(client)
    guess = {"old_password": "a-wrong-guess", "new_password1": ANOTHER, "new_password2": ANOTHER}
    for _ in range(9):
        answer = client.post("/admin/password_change/", guess)
    assert answer.status_code == 200 and is_let_in(client)
    client.post("/admin/password_change/", guess)
    assert not is_let_in(client)
    assert "Too many failed logins" in log_in(client).text
    assert list(columns_containing("a-wrong-guess")) == list(columns_containing(ANOTHER)) == []


def test_nobody_logs_in_with_the_code_of_somebody_else(client):
    other = operator(email="other@example.com")
    with_second_factor(other)
    with_second_factor(operator())
    assert log_in(client, code=code_of(other)).status_code == 200
    assert not is_let_in(client)


def test_an_administrator_without_a_second_factor_gets_no_further(client, settings):
    settings.SECOND_FACTOR_REQUIRED = True
    account = operator("administrator")
    log_in(client)
    assert client.get("/admin/contacts/contact/").url == "/admin/account/second-factor/"
    assert client.post("/admin/astronote/operator/1/do/link/").status_code == 302
    assert client.get("/admin/account/second-factor/").status_code == 200
    assert client.get("/admin/account/").status_code == 302
    code = f"{TOTP(bytes.fromhex(client.session['new second factor'])).token():06}"
    client.post("/admin/account/second-factor/", {"code": code})
    assert client.get("/admin/contacts/contact/").status_code == 200
    elsewhere = Client()
    elsewhere.force_login(account)
    assert elsewhere.get("/admin/").url == "/admin/login/", "a session that never showed a code"
    lower = Client()
    log_in(lower, operator("viewer", "vera@example.com").email)
    assert is_let_in(lower)


def test_the_second_factor_is_changed_with_a_code_alone(client):
    account = operator()
    with_second_factor(account)
    log_in(client, code=code_of(account))
    page = "/admin/account/second-factor/change/"
    assert "wrong" in client.post(page, {"code": "000000", "remove": "1"}).text
    assert second_factor.has_confirmed_authenticator_app(account)
    TOTPDevice.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
    client.post(page, {"code": code_of(account, 1), "remove": "1"})
    assert not second_factor.has_confirmed_authenticator_app(account)
    assert actions()[-1] == "second factor removed"


def test_a_session_that_is_not_used_ends_and_one_that_is_used_goes_on(
    client, settings, monkeypatch
):
    operator()
    log_in(client)
    now = timezone.now()

    def later(minutes):
        time = now + timedelta(minutes=minutes)
        monkeypatch.setattr("astronote.accounts.sessions.time.time", time.timestamp)

    for minutes in (20, 40, 60):
        later(minutes)
        assert is_let_in(client), minutes
    later(85)
    polled = {"HTTP_SEC_FETCH_DEST": "empty", "HTTP_HX_REQUEST": "true"}
    assert client.get("/admin/live/", **polled).status_code == 200
    later(91)
    answer = client.get("/admin/live/", **polled)
    assert (answer.status_code, answer["HX-Refresh"]) == (204, "true")
    assert not is_let_in(client)


def test_a_session_ends_twelve_hours_after_the_login(client, monkeypatch):
    operator()
    log_in(client)
    began = timezone.now()
    for minutes in range(0, 13 * 60, 20):
        time = began + timedelta(minutes=minutes)
        monkeypatch.setattr("astronote.accounts.sessions.time.time", time.timestamp)
        if not is_let_in(client, "jsi18n/"):
            break
    assert minutes == 12 * 60 + 20 or minutes == 12 * 60


def test_a_login_changes_the_key_of_the_session(client):
    client.get("/admin/login/")
    session = client.session
    session["planted"] = 1
    session.save()
    client.cookies["sessionid"] = session.session_key
    operator()
    log_in(client)
    assert client.cookies["sessionid"].value != session.session_key
    assert not Session.objects.filter(session_key=session.session_key).exists()


def test_an_operator_sees_own_sessions_and_ends_one(client):
    operator()
    log_in(client, REMOTE_ADDR="192.0.2.1", HTTP_USER_AGENT="Firefox")
    elsewhere = Client()
    log_in(elsewhere, REMOTE_ADDR="192.0.2.2", HTTP_USER_AGENT="<b>Phone</b>")
    stranger = operator(email="other@example.com")
    theirs = Client()
    log_in(theirs, stranger.email)
    page = client.get("/admin/account/").text
    for shown in ("192.0.2.1", "192.0.2.2", "Firefox", "&lt;b&gt;Phone"):
        assert shown in page
    keys = Session.objects.values_list("session_key", flat=True)
    assert not any(key in page for key in keys), "whoever reads a key has the session"
    of_stranger = Session.objects.get(account=stranger).public_id
    client.post("/admin/account/sessions/", {"session": of_stranger})
    assert is_let_in(theirs)
    (public_id,) = re.findall(r'name="session" value="(\w+)"', page)
    client.post("/admin/account/sessions/", {"session": public_id})
    assert is_let_in(client) and not is_let_in(elsewhere)
    log_in(elsewhere)
    client.post("/admin/account/sessions/")
    assert is_let_in(client) and not is_let_in(elsewhere)


def test_an_administrator_ends_the_sessions_of_others(client):
    account, theirs = operator(), Client()
    log_in(theirs)
    client.force_login(operator("administrator", "anna@example.com"))
    page = client.get(f"/admin/astronote/operator/{account.pk}/change/").text
    assert "Logged in" in page
    client.post(f"/admin/astronote/operator/{account.pk}/do/end-sessions/")
    assert not is_let_in(theirs)
    assert actions()[-1] == "sessions ended"


def test_a_disabled_operator_is_out_at_once_and_cannot_return(client):
    account, theirs = operator(), Client()
    log_in(theirs)
    client.force_login(operator("administrator", "anna@example.com"))
    client.post(f"/admin/astronote/operator/{account.pk}/do/disable/")
    assert not is_let_in(theirs) and log_in(theirs).status_code == 200
    client.post(f"/admin/astronote/operator/{account.pk}/do/enable/")
    assert log_in(theirs).status_code == 302
    assert actions()[-2:] == ["operator disabled", "operator enabled"]


def test_a_role_is_changed_by_an_administrator_and_holds_at_once(client):
    account, theirs = operator("administrator"), Client()
    log_in(theirs)
    assert theirs.get("/admin/django_rq/dashboard/").status_code == 200
    client.force_login(operator("administrator", "anna@example.com"))
    form = {"email": account.email, "role": "viewer"}
    client.post(f"/admin/astronote/operator/{account.pk}/change/", form)
    assert theirs.get("/admin/django_rq/dashboard/").status_code == 403
    entry = AuditEntry.objects.get(action="role changed")
    assert entry.details == {"role": "viewer", "before": "administrator"}


def test_nobody_below_an_administrator_manages_operators_and_none_of_them_a_superuser(client):
    root = User.objects.create_superuser("root@example.com")
    other = operator("viewer", "vera@example.com")
    for role, account, status in (
        ("viewer", other, 403), ("operator", other, 403), ("service_operator", other, 403),
        ("administrator", root, 403), ("administrator", other, 200),
    ):  # fmt: skip
        client.force_login(operator(role, f"{role}{status}@example.com"))
        page = f"/admin/astronote/operator/{account.pk}"
        assert client.post(f"{page}/do/link/").status_code == status, role
    before = User.objects.values_list("is_active", "is_superuser")
    form = {"email": "x@example.com", "role": "administrator", "is_superuser": "on"}
    assert client.post(f"/admin/astronote/operator/{root.pk}/change/", form).status_code == 403
    assert list(before) == list(User.objects.values_list("is_active", "is_superuser"))


def test_nobody_changes_the_access_of_the_own_account(client):
    account = operator("administrator")
    client.force_login(account)
    page = f"/admin/astronote/operator/{account.pk}"
    client.post(f"{page}/change/", {"email": account.email, "role": "viewer"})
    answer = client.post(f"{page}/do/disable/", follow=True)
    assert "own account" in answer.text
    account.refresh_from_db()
    assert account.is_active and account.groups.get().name == "administrator"


def test_the_same_is_done_by_command(client, capsys):
    account = operator()
    with_second_factor(account)
    log_in(client, code=code_of(account))

    def told(**options):
        capsys.readouterr()
        call_command("operator", "Olga@example.com", json=True, **options)
        return json.loads(capsys.readouterr().out)

    assert told() | {"id": 0} == {
        "id": 0, "email": OLGA, "role": "operator", "active": True, "second_factor": True,
        "sessions": 1,
    }  # fmt: skip
    assert told(end_sessions=True)["sessions"] == 0 and not is_let_in(client)
    assert told(role="viewer")["role"] == "viewer"
    assert told(remove_second_factor=True)["second_factor"] is False
    assert told(disable=True)["active"] is False
    assert told(enable=True)["active"] is True
    set_password(client, path_of_link(told(link=True)["link"]))
    assert log_in(client, password=ANOTHER).status_code == 302
    with pytest.raises(CommandError, match="no operator"):
        call_command("operator", "nobody@example.com")


def test_logins_are_shown_to_administrators_alone(client):
    operator()
    log_in(Client(), password="wrong", REMOTE_ADDR="192.0.2.7")
    log_in(Client(), REMOTE_ADDR="192.0.2.8")
    client.force_login(operator("administrator", "anna@example.com"))
    assert "192.0.2.8" in client.get("/admin/axes/accesslog/").text
    assert "192.0.2.7" in client.get("/admin/axes/accessfailurelog/").text
    client.force_login(operator("viewer", "vera@example.com"))
    for page in ("accesslog", "accessfailurelog"):
        assert client.get(f"/admin/axes/{page}/").status_code == 403


def test_logins_are_forgotten_with_the_audit_trail(settings):
    operator()
    log_in(Client(), password="wrong")
    log_in(Client())
    past = timezone.now() - timedelta(days=settings.AUDIT_RETENTION_DAYS + 1)
    for model in (AccessLog, AccessFailureLog):
        assert model.objects.update(attempt_time=past) == 1
    call_command("run_pii_retention")
    assert not AccessLog.objects.exists() and not AccessFailureLog.objects.exists()


def test_a_login_leads_to_no_other_site(client):
    operator()
    for address in (
        "https://evil.example/",
        "//evil.example",
        "javascript:alert(1)",
        "/\\evil.example",
    ):
        form = {"username": OLGA, "password": PASSWORD, "next": address}
        assert client.post("/admin/login/", form).url == "/admin/"
        client.logout()
