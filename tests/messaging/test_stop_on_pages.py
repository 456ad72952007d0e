"""Where people and machines see that sending is stopped, and who may let it go on."""

import re

import pytest
from django.contrib.auth.models import Group

from astronote.accounts.roles import create_or_update_role_group
from astronote.models import AuditEntry, User
from campaigns import enqueue
from messaging import sending
from messaging.models import SendingStop
from messaging.sending_stop import end_stop, stop_sending
from messaging.statuses import StopReason
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = ["/admin/", "/admin/live/", "/admin/messaging/batch/", "/admin/campaigns/campaign/add/"]
PAGE = "/admin/messaging/sendingstop/{}/change/"
REFUSED = PAGE.format("account_refused")


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


@pytest.mark.slow
@pytest.mark.parametrize("address", PAGES)
def test_every_page_says_why_since_when_and_what_waits(client, stopped, address):
    log_in(client, "administrator")
    text = page(client, address)
    assert text.count("Sending is stopped since ") == 1
    assert "Mitto answered 402: the account may not send" in text
    assert "30 messages wait, worth 30 credits" in text
    assert REFUSED in text


def test_the_banner_is_read_aloud_once_and_is_gone_afterwards(client, stopped):
    log_in(client, "administrator")
    address = "/admin/messaging/batch/"
    assert '<p class="alert banner" role="alert">Sending is stopped' in page(client, address)
    assert 'role="alert">Sending is stopped' not in page(client, "/admin/live/")
    end_stop(StopReason.ACCOUNT_REFUSED, by="test")
    assert "Sending is stopped" not in page(client, address)


def test_an_administrator_lets_sending_go_on(client, stopped):
    user = log_in(client, "administrator")
    asked = page(client, REFUSED)
    assert "<strong>30</strong> messages" in asked
    assert SendingStop.objects.exists()
    answer = client.post(REFUSED, secure=True, follow=True)
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
    assert "Sending is stopped" in text and REFUSED not in text
    text = page(client, REFUSED)
    assert "Sending is stopped" in text and "Let sending go on" not in text
    assert client.post(REFUSED, secure=True).status_code == 403
    assert SendingStop.objects.exists()


def test_nobody_sees_it_without_a_login(client, stopped):
    assert "Sending is stopped" not in page(client, "/admin/login/")


def test_readyz_and_metrics_know_it(client, settings, stopped):
    settings.QUEUE_DISABLED = True
    answer = client.get("/readyz", secure=True)
    assert answer.status_code == 503
    assert "402: the account may not send" in answer.json()["sending"]
    metrics = page(client, "/metrics")
    assert "astronote_sending_stopped 1.0" in metrics
    assert "astronote_waiting_messages 30.0" in metrics
    assert "astronote_waiting_credits 30.0" in metrics
    end_stop(StopReason.ACCOUNT_REFUSED, by="test")
    assert client.get("/readyz", secure=True).json()["sending"] == "ok"
    assert "astronote_sending_stopped 0.0" in page(client, "/metrics")


RESTORED = PAGE.format("restored")


@pytest.mark.slow
@pytest.mark.parametrize("address", ["/admin/", "/admin/campaigns/campaign/", RESTORED])
def test_every_page_says_that_a_backup_was_restored(client, address):
    stop_sending(StopReason.RESTORED, by="command line")
    log_in(client, "administrator")
    assert re.search("Sending is stopped since .*: a backup was restored", page(client, address))
    SendingStop.objects.all().delete()
    assert "Sending is stopped" not in page(client, "/admin/")


def test_each_stop_has_its_banner_and_its_page(client, stopped):
    stop_sending(StopReason.RESTORED, by="command line")
    log_in(client, "administrator")
    text = page(client, "/admin/messaging/batch/")
    assert text.count("Sending is stopped since") == 2
    assert REFUSED in text and RESTORED in text
    client.post(REFUSED, secure=True)
    assert SendingStop.objects.get().reason == "restored"


def test_nobody_reads_of_a_restore_before_the_login(client):
    stop_sending(StopReason.RESTORED, by="command line")
    assert "Sending is stopped" not in page(client, "/admin/login/")


def test_readyz_says_how_sending_goes_on_after_a_restore(client):
    assert client.get("/readyz", secure=True).json()["sending"] == "ok"
    stop_sending(StopReason.RESTORED, by="command line")
    answer = client.get("/readyz", secure=True)
    assert answer.status_code == 503
    assert "manage.py sending go-on restored" in answer.json()["sending"]


def test_an_administrator_declares_the_restore_and_lets_sending_go_on(client):
    user = log_in(client, "administrator")
    stop_sending(StopReason.DATABASE_OLDER, by="guard")
    older = PAGE.format("database_older")
    assert "Mark as unknown" in page(client, older)
    assert client.post(older, secure=True).status_code == 302
    assert SendingStop.objects.get().reason == "restored"
    assert "Let sending go on" in page(client, RESTORED)
    client.post(RESTORED, secure=True)
    assert not SendingStop.objects.exists()
    assert AuditEntry.objects.filter(action="sending goes on").last().actor == user


def test_a_viewer_cannot_let_sending_go_on_after_a_restore(client):
    log_in(client, "viewer")
    stop_sending(StopReason.RESTORED, by="command line")
    assert "Let sending go on" not in page(client, RESTORED)
    assert client.post(RESTORED, secure=True).status_code == 403
    assert SendingStop.objects.exists()
