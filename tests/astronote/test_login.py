"""The throttle of logins: what counts as a failure, for whom, and for how long."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from django.db.models import F
from django.test import Client
from django.utils import timezone

from astronote.common.locks import advisory_lock
from astronote.models import User
from tests.support.database import columns_containing
from tests.support.holding import Holding

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"
ALICE = "alice@example.com"


@pytest.fixture(autouse=True)
def quick_hashes(settings):
    """A failure is to cost little here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def staff():
    return User.objects.create_user(ALICE, PASSWORD, is_staff=True)


def fail(client, times, who=ALICE, address="192.0.2.1"):
    form = {"username": who, "password": "wrong"}
    for _ in range(times):
        answer = client.post("/admin/login/", form, REMOTE_ADDR=address)
    return answer.text


def log_in(client, who=ALICE, address="192.0.2.1"):
    """Whether the right password lets in; else the page."""
    form = {"username": who, "password": PASSWORD}
    answer = client.post("/admin/login/", form, REMOTE_ADDR=address)
    return answer.status_code == 302 or answer.text


def test_after_nine_failures_the_right_password_lets_in_and_after_ten_it_does_not(staff, client):
    fail(client, 9)
    assert log_in(client) is True
    client.logout()
    fail(client, 1)
    assert "Too many failed logins. Try again in 15 minutes." in log_in(client)


def test_failures_count_in_every_spelling_of_the_account(staff, client):
    for number in range(10):
        spelling = (ALICE, " ALICE@example.com ", "ａｌｉｃｅ@example.com")[number % 3]
        fail(client, 1, who=spelling)
    assert "Too many" in log_in(client)


def test_failures_of_anybody_lock_out_neither_the_owner_elsewhere_nor_the_others(staff, client):
    User.objects.create_user("bob@example.com", PASSWORD, is_staff=True)
    fail(client, 12)
    assert log_in(client, address="192.0.2.99") is True
    client.logout()
    assert log_in(client, who="bob@example.com") is True


def test_the_addresses_of_one_ipv6_network_count_as_one(staff, client):
    for number in range(10):
        fail(client, 1, address=f"2001:db8::{number + 1:x}")
    assert "Too many" in log_in(client, address="2001:db8::ffff")
    assert log_in(client, address="2001:db8:0:1::1") is True


def test_a_refused_login_says_so_with_its_status(staff, client):
    fail(client, 10)
    answer = client.post("/admin/login/", {"username": ALICE, "password": PASSWORD},
                         REMOTE_ADDR="192.0.2.1")  # fmt: skip
    assert answer.status_code == 429


@pytest.mark.slow
def test_guesses_sent_at_the_same_time_are_all_counted(staff, settings):
    """Of any number sent at once, no more passwords are tried than of guesses one by one."""
    settings.PASSWORD_HASHERS = ["tests.astronote.test_login.CountingHasher"]
    staff.set_password(PASSWORD)
    staff.save()
    CountingHasher.checked = 0

    def guess(number):
        try:
            form = {"username": ALICE, "password": f"wrong {number}"}
            return Client().post("/admin/login/", form, REMOTE_ADDR="192.0.2.1").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(guess, range(60)))
    assert CountingHasher.checked <= 10 and set(answers) <= {200, 429}


class CountingHasher(PBKDF2PasswordHasher):
    """Counts the passwords that are checked, by so many rounds that others come in meanwhile."""

    iterations = 50_000
    checked = 0

    def verify(self, password, encoded):
        CountingHasher.checked += 1
        return super().verify(password, encoded)


def test_a_login_that_succeeds_is_no_failure(staff, client):
    for _ in range(12):
        assert log_in(client) is True
        client.logout()


def test_failures_are_forgotten_fifteen_minutes_after_the_last(staff, client):
    fail(client, 10)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
    fail(client, 1)  # refused, and so not counted
    assert "Too many" in log_in(client)
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(seconds=61))
    assert log_in(client) is True


def test_a_password_that_was_tried_is_stored_nowhere(staff, client):
    client.post(
        "/admin/login/?password=secret-guess", {"username": ALICE, "password": "secret-guess"}
    )
    assert list(columns_containing("secret-guess")) == []


@pytest.mark.parametrize("where", ["form", "address"])
def test_nothing_that_was_typed_into_the_login_is_stored_but_the_name(where, staff, client):
    """A recovery code that was entered with a wrong password still holds."""
    form = client.get("/admin/login/").context["form"]
    typed = {name: f"typed-{name}" for name in form.fields if name != "username"}
    query = "?" + urlencode(typed) if where == "address" else ""
    client.post(f"/admin/login/{query}", typed | {"username": ALICE})
    assert AccessAttempt.objects.get().username == ALICE
    assert {name: list(columns_containing(text)) for name, text in typed.items()} == {
        "password": [],
        "code": [],
    }


@pytest.mark.parametrize(
    "name", [" ALICE@example.com ", "ａｌｉｃｅ@example.com", "Alice@Example.com"]
)
def test_guesses_wait_for_each_other_in_every_spelling(name, staff, client):
    held = f"login {ALICE} 192.0.2.1"
    with Holding(lambda: advisory_lock(held)):
        assert "Another login is under way" in log_in(client, who=name)
    assert log_in(client, who=name) is True


def test_a_login_is_recorded_with_address_and_end(staff, client):
    assert log_in(client) is True
    client.post("/admin/logout/")
    recorded = AccessLog.objects.get()
    assert (recorded.username, recorded.ip_address) == (ALICE, "192.0.2.1")
    assert recorded.logout_time


def test_a_name_of_a_megabyte_takes_no_time(staff, client):
    """Normalizing so many accents takes minutes, in which no other request is answered."""
    before = time.process_time()
    assert "Please enter the correct" in fail(client, 1, who="a" + "\u0301\u0316" * 200_000)
    assert time.process_time() - before < 5
