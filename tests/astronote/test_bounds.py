"""How much is shown, found and kept: up to the limit, and no more."""

import pytest
from django.test import RequestFactory
from django.urls import reverse

from astronote.accounts.models import Operator
from astronote.accounts.password_links import ForgottenPasswordForm
from astronote.common import audit
from astronote.common.admin_paging import BoundedPaginator
from astronote.common.locks import transaction_with_short_lock_timeout
from astronote.common.sql import execute, rows
from astronote.models import AuditEntry, User
from astronote.operations import registry, watchdog
from astronote.operations.search_everywhere import search
from astronote.queues import jobs, redis_address
from contacts.models import Contact
from tests.support.factories import make_campaign, make_store

pytestmark = pytest.mark.django_db


def found(source, text):
    return registry.search_sources.get(source).search(text)


@pytest.fixture
def request_of_administrator(admin_user):
    request = RequestFactory().get("/admin/")
    request.user = admin_user
    return request


def test_two_letters_are_searched_for_and_one_is_not(request_of_administrator):
    make_store("alice", company="Zebra")
    assert search(request_of_administrator, " Z ") == []
    assert search(request_of_administrator, "Ze")


def test_the_search_of_the_admin_shows_the_first_of_each_kind():
    stores = [make_store(f"shop{n}", company=f"Zebra {n}") for n in range(6)]
    Contact.objects.bulk_create(
        Contact(owner=stores[0], phone=f"+30690000010{n}", first_name="Zelda") for n in range(9)
    )
    for n in range(6):
        make_campaign(stores[0], None, name=f"Zest {n}")
    assert [len(found(source, text)) for source, text in (
        ("stores", "Zebra"), ("contacts", "Zelda"), ("campaigns", "Zest"),
    )] == [5, 8, 5]  # fmt: skip


def test_the_home_page_shows_the_ten_newest_repairs():
    for _ in range(11):
        audit.write_entry("repaired", by=watchdog.NAME)
    shown = registry.home_panels.get("watchdog").context()["entries"]
    assert [entry.pk for entry in shown] == list(
        AuditEntry.objects.order_by("-pk").values_list("pk", flat=True)[:10]
    )


def test_a_page_of_a_list_has_fifty_rows(admin_client):
    AuditEntry.objects.bulk_create(AuditEntry(actor_name="test", action="x") for _ in range(60))
    page = admin_client.get(reverse("admin:astronote_auditentry_changelist"))
    assert len(page.context["cl"].result_list) == 50


def test_a_list_counts_ten_thousand_rows_at_most():
    execute(
        "INSERT INTO astronote_auditentry (actor_name, action, at, subject, details)"
        " SELECT 'test', 'x', now(), '', '{}' FROM generate_series(1, 10050)"
    )
    assert BoundedPaginator(AuditEntry.objects.order_by("pk"), 50).count == 10_000


def test_a_list_suggests_three_hundred_stores(admin_client):
    User.objects.bulk_create(
        User(email=f"shop{n}@example.com", company=f"Shop {n:03}") for n in range(301)
    )
    page = admin_client.get(reverse("admin:contacts_contact_changelist"))
    assert len(page.context["suggested_stores"]) == 300


def test_a_forgotten_password_is_mailed_once_in_ten_minutes():
    account = Operator.objects.create_superuser("bob@example.com")
    for _ in range(2):
        form = ForgottenPasswordForm({"email": account.email})
        assert form.is_valid()
        form.mail_password_link()
    assert AuditEntry.objects.filter(action="password link mailed").count() == 1
    left = jobs.redis_connection().ttl(f"astronote:password-link:{account.pk}")
    assert 590 < left <= 600


def test_the_probe_of_redis_is_gone_after_a_minute():
    assert registry.health_checks.get("redis").problem() == ""
    assert 50 < jobs.redis_connection().ttl("astronote:probe") <= 60


def test_a_request_waits_ten_milliseconds_for_a_lock():
    with transaction_with_short_lock_timeout():
        assert rows("SHOW lock_timeout") == [("10ms",)]


def test_a_sentinel_without_a_port_has_the_usual_one():
    options = redis_address.build_queue_options("redis+sentinel://one,two:5000/shop/0")
    assert options["SENTINELS"] == [("one", 26379), ("two", 5000)]
    assert options["SOCKET_TIMEOUT"] == 5
