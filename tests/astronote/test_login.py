"""The throttle of logins: what counts as a failure, for whom, and for how long."""

import pytest

from astronote.models import User
from astronote.queues import jobs

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


def test_failures_of_an_account_count_from_every_address_and_in_any_case(staff, client):
    for number in range(10):
        fail(client, 1, who=(ALICE, " ALICE@example.com ")[number % 2], address=f"192.0.2.{number}")
    assert "Too many" in log_in(client, address="192.0.2.99")


def test_failures_of_an_address_count_for_every_account(staff, client):
    for number in range(10):
        fail(client, 1, who=f"bob{number}@example.com")
    assert "Too many" in log_in(client)
    assert log_in(client, address="192.0.2.99") is True


def test_a_login_that_succeeds_is_no_failure(staff, client):
    for _ in range(12):
        assert log_in(client) is True
        client.logout()


def test_failures_are_forgotten_fifteen_minutes_after_the_last_and_name_nobody(staff, client):
    fail(client, 10)
    keys = [key.decode() for key in jobs.redis_connection().keys("astronote:login:*")]
    assert len(keys) == 2 and not any("alice" in key or "192" in key for key in keys)
    for key in keys:
        assert 890 < jobs.redis_connection().ttl(key) <= 900
        jobs.redis_connection().expire(key, 100)
    fail(client, 1, address="192.0.2.2")  # refused, and so not counted
    assert max(jobs.redis_connection().ttl(key) for key in keys) <= 100
    jobs.redis_connection().delete(*keys)
    assert log_in(client) is True


def test_each_failure_begins_the_fifteen_minutes_anew(staff, client):
    fail(client, 1)
    for key in jobs.redis_connection().keys("astronote:login:*"):
        jobs.redis_connection().expire(key, 100)
    fail(client, 1)
    assert (
        min(
            jobs.redis_connection().ttl(key)
            for key in jobs.redis_connection().keys("astronote:login:*")
        )
        > 890
    )
