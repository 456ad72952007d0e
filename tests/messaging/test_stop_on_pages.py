"""Where people and machines see that sending is stopped, and who may let it go on."""

import pytest
from django.contrib.auth.models import Group

from astronote.accounts.roles import create_or_update_role_group
from astronote.models import AuditEntry, User
from campaigns import enqueue
from messaging import sending, sending_stop
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = ["/admin/", "/admin/live/", "/admin/messaging/batch/", "/admin/campaigns/campaign/add/"]


@pytest.fixture
def stopped(sandbox, settings):
    settings.SMS_BATCH_SIZE = 10
    store = make_store()
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, 30)).pk)
    sandbox.behave(account_status=402)
    assert sending.process_next_batch() == "account refused"
    sandbox.behave(account_status=0)
    return campaign


def log_in(client, role):
    create_or_update_role_group(role)
    user = User.objects.create_user(f"{role}@example.com", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    return user


def page(client, address):
    return client.get(address, secure=True).content.decode()


@pytest.mark.parametrize("address", PAGES)
def test_every_page_says_why_since_when_and_what_waits(client, stopped, address):
    log_in(client, "administrator")
    text = page(client, address)
    assert text.count("Sending is stopped since 20") == 1
    assert "Mitto answered 402: the account may not send" in text
    assert "30 messages wait, worth 30 credits" in text
    assert "/admin/sending/go-on/" in text


def test_the_banner_is_read_aloud_once_and_is_gone_afterwards(client, stopped):
    log_in(client, "administrator")
    address = "/admin/messaging/batch/"
    assert '<p class="alert banner" role="alert">Sending is stopped' in page(client, address)
    assert 'role="alert">Sending is stopped' not in page(client, "/admin/live/")
    sending_stop.go_on(by="test")
    assert "Sending is stopped" not in page(client, address)


def test_an_administrator_lets_sending_go_on(client, stopped):
    user = log_in(client, "administrator")
    asked = page(client, "/admin/sending/go-on/")
    assert "<strong>30</strong> messages" in asked
    assert sending_stop.current_stop()
    answer = client.post("/admin/sending/go-on/", secure=True, follow=True)
    assert "Sending goes on." in answer.content.decode()
    assert AuditEntry.objects.get(action="sending goes on").actor == user
    while sending.process_next_batch() != "none due":
        pass
    stopped.refresh_from_db()
    assert (stopped.sent, stopped.failed) == (30, 0)


@pytest.mark.parametrize("role", ["viewer", "operator", "service_operator"])
def test_others_see_the_banner_and_may_not_let_sending_go_on(client, stopped, role):
    log_in(client, role)
    text = page(client, "/admin/")
    assert "Sending is stopped" in text and "/admin/sending/go-on/" not in text
    for method in (client.get, client.post):
        assert method("/admin/sending/go-on/", secure=True).status_code == 403
    assert sending_stop.current_stop()


def test_nobody_sees_it_without_a_login(client, stopped):
    assert "Sending is stopped" not in page(client, "/admin/login/")


def test_readyz_and_metrics_know_it(client, settings, stopped):
    settings.QUEUE_DISABLED = True
    answer = client.get("/readyz", secure=True)
    assert answer.status_code == 503
    assert "402: the account may not send" in answer.json()["mitto account"]
    metrics = page(client, "/metrics")
    assert "astronote_sending_stopped 1.0" in metrics
    assert "astronote_waiting_messages 30.0" in metrics
    assert "astronote_waiting_credits 30.0" in metrics
    sending_stop.go_on(by="test")
    assert client.get("/readyz", secure=True).json()["mitto account"] == "ok"
    assert "astronote_sending_stopped 0.0" in page(client, "/metrics")
