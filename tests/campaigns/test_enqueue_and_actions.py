"""What an operator does with a campaign: what it changes, which jobs it enqueues, who did it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from astronote.accounts.eligibility import SendingBlocked
from astronote.models import AuditEntry
from astronote.queues import jobs
from campaigns import actions, enqueue, schedule
from campaigns.models import Campaign, CampaignMessage
from contacts.models import Suppression
from contacts.phones import phone_hash
from messaging import credits, sending
from messaging.batch_queue import HELD, SEND_NEXT
from messaging.models import Batch, CreditReservation, DirectMessage
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.volume import make_big_list

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice():
    return make_store()


@pytest.fixture
def everybody(alice):
    return make_list(alice, 4)


def ago(**span):
    return timezone.now() - timedelta(**span)


def soon(**span):
    return timezone.now() + timedelta(**span)


def delayed_jobs():
    """The delayed jobs of the scheduler's queue: when, and with which arguments."""
    found = jobs._scheduler("scheduler").get_jobs(with_times=True)
    return [(at, job.func_name, job.args) for job, at in found]


def kept():
    """The audit trail: action, subject and details."""
    return list(AuditEntry.objects.order_by("pk").values_list("action", "subject", "details"))


# The audit trail


def test_every_verb_is_kept_with_its_campaign_and_who_did_it(alice, everybody, admin_user):
    campaign = make_campaign(alice, everybody)
    at = soon(hours=1)
    schedule.schedule_campaign(campaign, at, by=admin_user)
    schedule.unschedule_campaign(campaign, by=admin_user)
    message = actions.enqueue_test_message(campaign, "+306900000099", by=admin_user)
    campaign.refresh_from_db()
    actions.start_now(campaign, by=admin_user)
    actions.pause_campaign(campaign, by=admin_user)
    actions.resume_campaign(campaign, by=admin_user)
    actions.cancel_campaign(campaign, by=admin_user)
    copy = actions.duplicate_as_draft(campaign, by=admin_user)
    subject = f"campaign {campaign.pk}"
    assert kept() == [
        ("schedule", subject, {"at": at.isoformat()}),
        ("unschedule", subject, {}),
        ("test", subject, {"message": message.pk}),
        ("start", subject, {"messages": 4}),
        ("pause", subject, {}),
        ("resume", subject, {}),
        ("cancel", subject, {}),
        ("duplicate", subject, {"copy": copy.pk}),
    ]
    assert set(AuditEntry.objects.values_list("actor", "owner")) == {(admin_user.pk, alice.pk)}


def test_what_was_refused_is_not_kept(alice, everybody):
    draft = make_campaign(alice, everybody)
    for verb in (
        actions.pause_campaign,
        actions.resume_campaign,
        schedule.unschedule_campaign,
    ):
        with pytest.raises(ValueError):
            verb(draft, by="test")
    with pytest.raises(ValueError):
        actions.enqueue_test_message(draft, "12", by="test")
    sent = make_campaign(alice, everybody, status="completed")
    actions.start_now(sent, by="test")
    assert kept() == []


# Scheduling


def test_scheduling_enqueues_one_delayed_job_and_another_time_replaces_it(alice, everybody):
    campaign = make_campaign(alice, everybody, block_reason="no credits", retry_after=ago(hours=1))
    schedule.schedule_campaign(campaign, soon(hours=1), by="test")
    later = soon(hours=2).replace(microsecond=0)
    schedule.schedule_campaign(campaign, later, by="test")
    [(at, task, arguments)] = delayed_jobs()
    assert at == later.replace(tzinfo=None)
    assert (task, arguments) == ("campaigns.tasks.start_campaign", (campaign.pk,))
    campaign.refresh_from_db()
    assert (campaign.block_reason, campaign.retry_after) == ("", None)


def test_unscheduling_takes_the_delayed_job_back(alice, everybody):
    campaign = make_campaign(alice, everybody)
    schedule.schedule_campaign(campaign, soon(hours=1), by="test")
    Campaign.objects.update(block_reason="no credits", retry_after=soon(hours=1))
    schedule.unschedule_campaign(campaign, by="test")
    assert delayed_jobs() == []
    campaign.refresh_from_db()
    assert (campaign.status, campaign.block_reason) == ("draft", "")
    assert campaign.retry_after is None


@pytest.mark.parametrize("zone", ["Europe/Athens", "America/Los_Angeles", "Pacific/Kiritimati"])
@pytest.mark.parametrize("year", ["in two years", 9999])
def test_a_time_that_is_years_away_is_taken_for_a_mistake(alice, everybody, zone, year):
    campaign = make_campaign(alice, everybody)
    campaign.owner.timezone = zone
    at = datetime(9999, 12, 31, 23, 59) if year == 9999 else soon(days=367)
    with pytest.raises(ValueError, match="more than a year away"):
        schedule.schedule_campaign(campaign, at, by="test")
    assert Campaign.objects.get().status == "draft"


def change_of_clocks(zone, *, forward):
    """The first local time of the next change of a zone's clocks, without its zone."""
    at = timezone.now().replace(minute=0, second=0, microsecond=0)
    while True:
        before, after = (
            (at + timedelta(hours=hours)).astimezone(ZoneInfo(zone)).utcoffset() for hours in (0, 1)
        )
        if before != after and (after > before) == forward:
            shown = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
            return shown + timedelta(hours=1) if forward else shown
        at += timedelta(hours=1)


@pytest.mark.parametrize("zone", ["Europe/Athens", "America/New_York", "America/Santiago"])
def test_a_time_that_clocks_skip_or_show_twice_is_asked_about(alice, everybody, zone):
    campaign = make_campaign(alice, everybody)
    campaign.owner.timezone = zone
    skipped = change_of_clocks(zone, forward=True) + timedelta(minutes=30)
    last, first = skipped - timedelta(minutes=31), skipped + timedelta(minutes=30)
    nearest = f"give {last:%Y-%m-%d %H:%M} or before, or {first:%Y-%m-%d %H:%M} or after"
    with pytest.raises(ValueError, match=f"does not exist.* {nearest}"):
        schedule.schedule_campaign(campaign, skipped, by="test")
    twice = change_of_clocks(zone, forward=False) + timedelta(minutes=30)
    with pytest.raises(ValueError, match="comes twice") as refused:
        schedule.schedule_campaign(campaign, twice, by="test")
    command_line_text = str(refused.value).partition("its offset, ")[2].partition(" or ")[0]
    schedule.schedule_campaign(campaign, datetime.fromisoformat(command_line_text), by="test")
    campaign.refresh_from_db()
    assert campaign.scheduled_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == twice


def test_a_time_of_just_now_has_passed(alice, everybody):
    with pytest.raises(ValueError, match="give a time in the future"):
        schedule.schedule_campaign(make_campaign(alice, everybody), ago(seconds=1), by="test")


@pytest.mark.parametrize("status", ["sending", "paused", "completed", "failed", "cancelled"])
def test_what_was_started_cannot_be_scheduled(alice, everybody, status):
    campaign = make_campaign(alice, everybody, status=status)
    with pytest.raises(ValueError, match="only a draft or scheduled campaign"):
        schedule.schedule_campaign(campaign, soon(hours=1), by="test")
    campaign.refresh_from_db()
    assert (campaign.status, campaign.scheduled_at) == (status, None)
    assert delayed_jobs() == []


@pytest.mark.parametrize("status", ["draft", "sending", "completed"])
def test_only_a_scheduled_campaign_is_unscheduled(alice, everybody, status):
    campaign = make_campaign(alice, everybody, status=status)
    with pytest.raises(ValueError, match="only a scheduled campaign"):
        schedule.unschedule_campaign(campaign, by="test")
    campaign.refresh_from_db()
    assert campaign.status == status


@pytest.mark.parametrize(
    ("fields", "due"),
    [({}, True), ({"scheduled_at": 60}, False), ({"retry_after": 60}, False),
     ({"retry_after": -1}, True), ({"status": "paused"}, False)],
)  # fmt: skip
def test_a_campaign_is_due_when_its_time_has_come_and_no_retry_is_set(alice, fields, due):
    times = {name: soon(seconds=v) for name, v in fields.items() if name != "status"}
    make_campaign(
        alice, None, **({"status": "scheduled", "scheduled_at": ago(minutes=1)} | fields | times)
    )
    assert schedule.due_campaigns().exists() == due


def test_the_campaign_that_has_waited_longest_is_enqueued_first(alice):
    made = [
        make_campaign(alice, None, status="scheduled", scheduled_at=ago(minutes=minutes))
        for minutes in (1, 30, 10)
    ]
    assert schedule.enqueue_start_of_some_due_campaigns() == 3
    found = [job.args[0] for job in jobs.get_queue("scheduler").get_jobs()]
    assert found == [made[1].pk, made[2].pk, made[0].pk]


def test_at_most_a_hundred_due_campaigns_are_enqueued_at_once(alice):
    Campaign.objects.bulk_create(
        Campaign(
            owner=alice, created_by=alice, name="x", status="scheduled", scheduled_at=ago(minutes=1)
        )
        for _ in range(101)
    )
    assert schedule.enqueue_start_of_some_due_campaigns() == 100
    assert jobs.count_waiting_jobs("scheduler") == 100


# Starting


def test_a_started_campaign_has_its_batches_jobs_and_credits(alice, everybody, settings):
    settings.SMS_BATCH_SIZE = 3
    campaign = make_campaign(alice, everybody, block_reason="no credits")
    started = enqueue.enqueue_campaign(campaign.pk)
    assert (started.status, started.total, started.skipped) == ("sending", 4, 0)
    assert started.started_at > ago(minutes=1)
    assert (started.finished_at, started.block_reason) == (None, "")
    assert jobs.count_waiting_jobs("sms") == Batch.objects.count() == 2
    assert {job.func_name for job in jobs.get_queue("sms").get_jobs()} == {SEND_NEXT}
    assert sorted(CreditReservation.objects.values_list("amount", flat=True)) == [1, 3]
    enqueue.enqueue_campaign(campaign.pk)
    assert CampaignMessage.objects.count() == 4, "once more changes nothing"


def test_a_campaign_that_cannot_be_paid_writes_nothing(everybody, alice):
    poor = make_store("bob", balance=3)
    campaign = make_campaign(poor, make_list(poor, 4))
    with pytest.raises(SendingBlocked, match="4 credits are needed and 3 are available"):
        enqueue.enqueue_campaign(campaign.pk)
    assert not CampaignMessage.objects.exists()
    assert not Batch.objects.exists()
    assert jobs.count_waiting_jobs("sms") == 0
    campaign.refresh_from_db()
    assert campaign.status == "draft"
    assert campaign.block_reason.startswith("4 credits are needed")
    assert campaign.retry_after is None, "a draft is not tried again by itself"


@pytest.mark.parametrize(
    ("waited", "shortest", "longest"),
    [({"seconds": 5}, 30, 61), ({"minutes": 20}, 1170, 1230), ({"days": 1}, 3570, 3601)],
)
def test_a_blocked_campaign_is_tried_again_after_a_minute_and_within_the_hour(
    waited, shortest, longest
):
    poor = make_store(balance=0)
    campaign = make_campaign(
        poor, make_list(poor, 1), status="scheduled", scheduled_at=ago(**waited)
    )
    with pytest.raises(SendingBlocked):
        enqueue.enqueue_campaign(campaign.pk, only_if_due=True)
    campaign.refresh_from_db()
    wait = (campaign.retry_after - timezone.now()).total_seconds()
    assert shortest < wait < longest
    assert campaign.status == "scheduled"


@pytest.mark.parametrize(
    ("target", "fields", "why"),
    [(True, {"message_text": "  "}, "no text"), (None, {}, "nobody in the audience"),
     (True, {"message_text": "{{offer_link}}"}, "no offer address")],
)  # fmt: skip
def test_a_campaign_that_can_never_start_has_failed(alice, everybody, target, fields, why):
    scheduled = {"status": "scheduled", "scheduled_at": ago(minutes=1)}
    campaign = make_campaign(alice, target and everybody, **scheduled, **fields)
    with pytest.raises(SendingBlocked, match=why):
        enqueue.enqueue_campaign(campaign.pk, only_if_due=True)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.retry_after) == ("failed", None)
    assert why in campaign.block_reason
    assert campaign.finished_at > ago(minutes=1)
    assert not schedule.due_campaigns().exists()


def test_a_campaign_started_while_it_was_sent_stays_as_it_is(alice, everybody):
    campaign = enqueue.enqueue_campaign(make_campaign(alice, everybody).pk)
    alice.billing_hold = True
    alice.save()
    assert enqueue.enqueue_campaign(campaign.pk).status == "sending"
    campaign.refresh_from_db()
    assert campaign.block_reason == ""


def suppress(number, owner):
    Suppression.objects.create(owner=owner, phone_hash=phone_hash(number), reason="test")


@pytest.mark.parametrize(
    ("kind", "whose", "written"),
    [("marketing", "own", 3), ("marketing", "everybody's", 3), ("marketing", "another's", 4),
     ("service", "own", 4)],
)  # fmt: skip
def test_a_suppressed_number_is_left_out_of_marketing(alice, everybody, kind, whose, written):
    owners = {"own": alice, "everybody's": None, "another's": make_store("bob")}
    suppress("+306900000001", owners[whose])
    campaign = make_campaign(alice, everybody, message_type=kind)
    assert enqueue.enqueue_campaign(campaign.pk).total == written
    numbers = set(CampaignMessage.objects.values_list("to", flat=True))
    assert ("+306900000001" in numbers) == (written == 4)


def test_a_contacts_marketing_cap_does_not_leave_it_out_of_service_messages(
    alice, everybody, settings, sandbox
):
    settings.CONTACT_MARKETING_PER_DAY = 1
    enqueue.enqueue_campaign(make_campaign(alice, everybody).pk)
    assert sending.process_next_batch() == "accepted"
    again = enqueue.enqueue_campaign(make_campaign(alice, everybody).pk)
    assert (again.status, again.skipped) == ("completed", 4)
    assert again.finished_at > ago(minutes=1)
    service = enqueue.enqueue_campaign(make_campaign(alice, everybody, message_type="service").pk)
    assert (service.status, service.skipped) == ("sending", 0)


# Pausing, resuming, cancelling


def two_campaigns(alice, everybody):
    first, second = (enqueue.enqueue_campaign(make_campaign(alice, everybody).pk) for _ in range(2))
    batch = {c.pk: Batch.objects.get(source_id=c.pk) for c in (first, second)}
    return first, batch[first.pk], second, batch[second.pk]


def test_a_pause_holds_only_its_own_campaigns_batches(alice, everybody):
    first, mine, _, others = two_campaigns(alice, everybody)
    automatic = Batch.objects.create(
        owner=alice, kind="automation", source_id=first.pk, sender="TESTSHOP", size=1
    )
    actions.pause_campaign(first, by="test")
    assert first.status == "paused"
    for batch, until in ((mine, HELD), (others, None), (automatic, None)):
        batch.refresh_from_db()
        assert batch.not_before == until
    assert mine.waiting_for == "the campaign is paused"


def test_going_on_releases_what_was_held_and_not_what_waits_for_a_time(alice, everybody, settings):
    settings.SMS_BATCH_SIZE = 2
    campaign = enqueue.enqueue_campaign(make_campaign(alice, everybody).pk)
    actions.pause_campaign(campaign, by="test")
    first, second = Batch.objects.order_by("pk")
    Batch.objects.filter(pk=second.pk).update(not_before=soon(hours=1))
    jobs.get_queue("sms").empty()
    actions.resume_campaign(campaign, by="test")
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.not_before, first.waiting_for) == (None, "")
    assert second.not_before > soon(minutes=59)
    assert jobs.count_waiting_jobs("sms") == 1


def test_cancelling_enqueues_the_job_that_skips_what_was_not_sent(alice, everybody):
    campaign = enqueue.enqueue_campaign(make_campaign(alice, everybody).pk)
    actions.cancel_campaign(campaign, by="test")
    [job] = jobs.get_queue("scheduler").get_jobs()
    assert (job.func_name, job.args) == (
        "campaigns.tasks.drop_cancelled_batches",
        (campaign.pk,),
    )
    assert campaign.status == "cancelled"
    assert campaign.finished_at > ago(minutes=1)
    assert job.perform() == 1
    assert set(CampaignMessage.objects.values_list("status", "error_code")) == {
        ("skipped", "cancelled")
    }


def test_cancelling_a_scheduled_campaign_takes_its_delayed_job_back(alice, everybody):
    campaign = make_campaign(alice, everybody)
    schedule.schedule_campaign(campaign, soon(hours=1), by="test")
    actions.cancel_campaign(campaign, by="test")
    assert delayed_jobs() == []


def test_finishing_a_cancelling_touches_no_campaign_that_goes_on(alice, everybody):
    first, mine, second, others = two_campaigns(alice, everybody)
    assert actions.cancel_batches_of_cancelled_campaign(second.pk) == 0
    actions.cancel_campaign(first, by="test")
    assert actions.cancel_batches_of_cancelled_campaign(first.pk) == 1
    mine.refresh_from_db()
    others.refresh_from_db()
    assert (mine.status, others.status) == ("cancelled", "pending")
    assert actions.ids_of_cancelled_campaigns_with_unsent_batches() == []


@pytest.mark.parametrize("status", ["sending", "cancelled"])
def test_only_cancelled_campaigns_are_half_cancelled(alice, everybody, status):
    campaign = enqueue.enqueue_campaign(make_campaign(alice, everybody).pk)
    Campaign.objects.update(status=status)
    assert actions.ids_of_cancelled_campaigns_with_unsent_batches() == (
        [campaign.pk] if status == "cancelled" else []
    )
    Batch.objects.update(kind="automation")
    assert actions.ids_of_cancelled_campaigns_with_unsent_batches() == []


# Copies and tests


def test_a_duplicate_has_the_same_text_and_audience_and_a_new_name(alice, everybody, admin_user):
    original = make_campaign(
        alice,
        None,
        name="n" * 200,
        message_text="Hi",
        offer_url="https://shop.example/a",
        message_type="service",
        filter_gender="female",
        filter_age_group="age_18_24",
    )
    copy = actions.duplicate_as_draft(original, by=admin_user)
    assert copy.name == "n" * 190 + " (copy)"
    assert copy.created_by == admin_user
    same = (
        "owner",
        "message_text",
        "offer_url",
        "message_type",
        "list",
        "filter_gender",
        "filter_age_group",
    )
    for name in same:
        assert getattr(copy, name) == getattr(original, name), name
    listed = make_campaign(alice, everybody)
    assert actions.duplicate_as_draft(listed, by="a program").list == everybody
    assert actions.duplicate_as_draft(listed, by="a program").created_by == alice


def test_each_test_is_a_message_of_its_own(alice):
    campaign = make_campaign(alice, None)
    for _ in range(2):
        actions.enqueue_test_message(campaign, "+306900000099", by="test")
    assert DirectMessage.objects.count() == 2
    assert jobs.count_waiting_jobs("sms") == 2


def test_a_test_of_a_store_that_cannot_pay_is_refused(alice):
    poor = make_store("bob", balance=0)
    with pytest.raises(SendingBlocked, match="1 credit is needed"):
        actions.enqueue_test_message(make_campaign(poor, None), "+306900000099", by="test")
    assert not DirectMessage.objects.exists()
    assert not AuditEntry.objects.filter(action="test").exists()


def test_a_test_number_without_a_country_is_of_the_stores_country():
    store = make_store(phone_region="DE")
    message = actions.enqueue_test_message(make_campaign(store, None), "0151 23456789", by="test")
    assert message.to == "+4915123456789"


@pytest.mark.slow
def test_a_campaign_of_many_chunks_is_written_whole(alice, settings):
    """Twenty-thousand contacts and one: the last chunk holds one."""
    settings.SMS_BATCH_SIZE = 2500  # a call of 5,000 such messages would be too large for Mitto
    credits.top_up(alice.pk, 30_000, reason="test", key="more")
    started = enqueue.enqueue_campaign(make_campaign(alice, make_big_list(alice, 20_001)).pk)
    assert started.total == CampaignMessage.objects.count() == 20_001
    turns = Batch.objects.order_by("turn").values_list("turn", flat=True)
    assert list(turns) == list(range(turns[0], turns[0] + 9)), "each batch has a turn of its own"
