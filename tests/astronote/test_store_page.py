"""A store's page: its own figures, and topping up its wallet once."""

from datetime import time

import pytest
from django.core.management import call_command
from django.http import HttpRequest

from astronote.models import AuditEntry, User
from campaigns import enqueue
from campaigns.models import Automation
from messaging import credits, panels, sending
from messaging.models import CreditTransaction
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def root(client):
    user = User.objects.create_superuser("root@example.com")
    client.force_login(user)
    return user


def top_up(client, store, **form):
    return client.post(f"/admin/top-up/{store.pk}/", form, follow=True)


def available(store):
    return credits.get_or_create_wallet(store.pk).available


def page(client, store):
    return client.get(f"/admin/astronote/user/{store.pk}/change/")


def test_a_top_up_asks_first_and_is_then_audited(root, client):
    store = make_store("alice", balance=5)
    asked = client.get(f"/admin/top-up/{store.pk}/", {"credits": "250"})
    assert asked.context["credits"] == 250 and available(store) == 5
    answer = top_up(client, store, credits="250", key=str(asked.context["key"]))
    assert "has 255 credits available" in answer.text
    entry = CreditTransaction.objects.latest("pk")
    assert (entry.type, entry.amount, entry.reason) == ("credit", 250, "top-up in the admin")
    audited = AuditEntry.objects.get()
    assert (audited.actor, audited.action, audited.owner) == (root, "top up", store)
    assert audited.details == {"credits": 250}


def test_the_same_page_sent_twice_adds_its_credits_once(root, client):
    store = make_store("alice", balance=0)
    for _ in range(2):
        top_up(client, store, credits="10", key="one page")
    assert available(store) == 10
    assert AuditEntry.objects.filter(action="top up").count() == 1
    top_up(client, store, credits="10", key="another page")
    for _ in range(2):
        top_up(client, store, credits="10")
    assert available(store) == 40


def test_each_question_has_a_key_of_its_own(root, client):
    store = make_store("alice")
    address = f"/admin/top-up/{store.pk}/?credits=1"
    assert client.get(address).context["key"] != client.get(address).context["key"]


@pytest.mark.parametrize(
    "amount", ["0", "-5", "1.5", "", "many", "100000001", "١٠", "1000000000000000000000"]
)
def test_an_amount_that_is_none_is_refused(root, client, amount):
    store = make_store("alice", balance=5)
    answer = top_up(client, store, credits=amount)
    assert "Enter a number of credits from 1 to 100,000,000." in answer.text
    assert available(store) == 5 and not AuditEntry.objects.exists()


def test_the_least_and_the_most_that_can_be_added(root, client):
    store = make_store("alice", balance=0)
    top_up(client, store, credits="1")
    top_up(client, store, credits="100000000")
    assert available(store) == 100_000_001


def test_only_stores_have_wallets_to_top_up(root, client):
    assert client.post(f"/admin/top-up/{root.pk}/", {"credits": "5"}).status_code == 404
    assert client.post("/admin/top-up/0/", {"credits": "5"}).status_code == 404


def test_an_operator_does_not_top_up(client):
    store = make_store("alice", balance=5)
    call_command("create_operator", "o@example.com", role="operator", password="a-long-one-9")
    client.force_login(User.objects.get(email="o@example.com"))
    assert client.post(f"/admin/top-up/{store.pk}/", {"credits": "5"}).status_code == 403
    assert available(store) == 5
    shown = page(client, store).context
    assert (shown["may_top_up"], shown["may_switch"]) == (False, True)


def test_the_page_shows_the_stores_own_ledger_newest_first_and_its_automations(root, client):
    alice, bob = make_store("alice", balance=0), make_store("bob", balance=7)
    for amount in range(1, 13):
        credits.top_up(alice.pk, amount, reason="test", key=f"a{amount}")
    credits.top_up(bob.pk, 99, reason="test", key="b")
    Automation.objects.create(owner=alice, type="welcome_message", message_body="Hi")
    Automation.objects.create(owner=bob, type="birthday_message", message_body="Hi")
    shown = page(client, alice).context
    assert [entry.amount for entry in shown["ledger"]] == list(range(12, 2, -1))
    assert shown["wallet"].balance == 78
    assert [automation.type for automation, _ in shown["automations"]] == ["welcome_message"]
    assert (shown["may_top_up"], shown["may_switch"]) == (True, True)


def test_the_page_says_whether_the_store_sends_and_whether_it_can_be_answered(root, client):
    store = make_store("alice", sender_name="+306900000001")
    shown = page(client, store).context
    assert (shown["sender"], shown["can_receive_replies"]) == ("+306900000001", True)
    shown = page(client, make_store("bob")).context
    assert (shown["sender"], shown["can_receive_replies"], shown["block_reason"]) == (
        "TESTSHOP",
        False,
        "",
    )
    User.objects.filter(pk=store.pk).update(subscription_status="paused")
    shown = page(client, store).context
    assert (shown["sender"], shown["block_reason"]) == ("", "the store's subscription is paused")


@pytest.mark.parametrize(("own", "expected"), [(None, 90), (30, 30), (400, 90)])
def test_the_shorter_time_of_keeping_personal_data_is_shown(root, client, settings, own, expected):
    settings.PII_RETENTION_DAYS = 90
    store = make_store("alice", retention_days=own)
    assert page(client, store).context["retention_days"] == expected


def test_the_limits_that_are_on_are_shown(root, client, settings):
    settings.QUIET_HOURS_START, settings.QUIET_HOURS_END = time(22), time(9)
    store = make_store("alice")
    assert page(client, store).context["limits"] == []
    settings.QUIET_HOURS_ENABLED = True
    settings.OWNER_SMS_PER_DAY = 3000
    assert page(client, store).context["limits"] == [
        "At most 3,000 messages of a store are sent per 24 hours; others wait.",
        "Quiet hours from 22:00 to 09:00 in the store's time zone.",
    ]


def test_the_page_of_an_operator_has_no_wallet(root, client):
    answer = client.get(f"/admin/astronote/operator/{root.pk}/change/")
    assert answer.status_code == 200 and 'id="wallet"' not in answer.text


def test_a_new_store_is_asked_for_what_it_needs_to_send(admin_client):
    url = "/admin/astronote/user/add/"
    assert '<option value="Europe/Athens">' in admin_client.get(url).text
    form = {
        "email": "new@example.com", "company": "New",
        "sender_name": "no sender ID!", "timezone": "Europe/Athens", "phone_region": "GR",
    }  # fmt: skip
    assert "3 to 11 letters" in admin_client.post(url, form).text
    admin_client.post(url, form | {"sender_name": "NEWSHOP"})
    store = User.objects.get(email="new@example.com")
    assert (store.sender_name, store.timezone, store.phone_region) == (
        "NEWSHOP", "Europe/Athens", "GR",
    )  # fmt: skip


@pytest.mark.parametrize(("country", "zone"), [("", "Europe/Athens"), ("DE", "Europe/Berlin")])
def test_a_new_store_has_the_time_zone_of_its_country(admin_client, country, zone):
    form = {"email": "new@example.com", "company": "New", "sender_name": "NEWSHOP"}
    form |= {"phone_region": country, "timezone": ""}
    answer = admin_client.post("/admin/astronote/user/add/", form)
    store = User.objects.get(email="new@example.com")
    assert store.timezone == zone
    assert answer.url == f"/admin/astronote/user/{store.pk}/change/"


def test_a_country_whose_clocks_differ_needs_a_time_zone(admin_client):
    form = {"email": "new@example.com", "company": "New", "sender_name": "NEWSHOP"}
    answer = admin_client.post("/admin/astronote/user/add/", form | {"phone_region": "ES"})
    assert "ES has several time zones: choose one." in answer.text
    assert not User.objects.filter(email="new@example.com").exists()


def test_first_credits_are_added_with_the_store_by_who_may_top_up(client, root):
    form = {"email": "new@example.com", "company": "New", "sender_name": "NEWSHOP"}
    url = "/admin/astronote/user/add/"
    assert "greater than or equal to 1" in client.post(url, form | {"first_credits": "-5"}).text
    assert not User.objects.filter(email="new@example.com").exists()
    client.post(url, form | {"first_credits": "500"})
    store = User.objects.get(email="new@example.com")
    assert store.wallet.balance == 500
    assert AuditEntry.objects.get(action="top up", owner_id=store.pk).details == {"credits": 500}

    call_command("create_operator", "op@example.com", role="operator", password="a-long-one-9")
    operator = User.objects.get(email="op@example.com")
    client.force_login(operator)
    if operator.has_perm("astronote.add_user"):
        assert "first_credits" not in client.get(url).text
    client.post(url, form | {"email": "other@example.com", "first_credits": "500"})
    assert CreditTransaction.objects.count() == 1


def test_the_ledger_has_one_line_for_a_campaign_and_one_for_a_top_up(
    admin_client, sandbox, settings
):
    settings.SMS_BATCH_SIZE = 2
    store = make_store(company="Anna's")
    campaign = make_campaign(store, make_list(store, 5), name="Spring sale")
    enqueue.enqueue_campaign(campaign.pk)
    while sending.process_next_batch() != "none due":
        pass
    form = {"credits": "50", "reference": "invoice 42"}
    asked = admin_client.get(f"/admin/top-up/{store.pk}/", form)
    assert "invoice 42" in asked.text
    admin_client.post(f"/admin/top-up/{store.pk}/", form | {"key": "once"})
    lines = panels.store_ledger_by_day_context(HttpRequest(), store)["ledger"]
    assert [(line.reason, line.amount, line.balance_after) for line in lines] == [
        ("top-up: invoice 42", 50, 1045),
        ("Spring sale", 5, 995),
        ("test", 1000, 1000),
    ]
    page = admin_client.get(f"/admin/astronote/user/{store.pk}/change/")
    assert f'href="/admin/campaigns/campaign/{campaign.pk}/change/"' in page.text
