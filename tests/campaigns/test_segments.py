"""Segments: who matches, how many, why others are left out, and how campaigns use them."""

import json
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from astronote.models import User
from campaigns import actions, enqueue, service_campaigns
from campaigns.audience import campaign_audience_with_consent_and_age
from campaigns.audience_counts import count_or_estimate_segment_and_left_out
from campaigns.enqueue import CannotStart
from campaigns.models import (
    AudienceChoice,
    Campaign,
    CampaignMessage,
    OfferViewEvent,
    Segment,
)
from campaigns.preview import preview_campaign
from campaigns.segment_forms import create_and_audit_segment_or_validation_error
from campaigns.segments import contacts_with_phone_matching_segment
from contacts.ages import years_before
from contacts.models import Contact, List, ListMembership, Suppression
from contacts.phones import phone_hash
from tests.support.factories import make_campaign, make_contact, make_list, make_store
from tests.support.volume import make_big_list

pytestmark = pytest.mark.django_db
TODAY = date(2026, 6, 15)


@pytest.fixture
def alice():
    return make_store()


def contact(store, number, **fields):
    return make_contact(store, f"+30690{number:07}", **fields)


def segment(store, name="chosen", **conditions):
    return create_and_audit_segment_or_validation_error(store, name, conditions, by="test")


def numbers(store, **conditions):
    """The last digits of those who match."""
    unsaved = Segment(owner=store, name="x", conditions=conditions)
    found = contacts_with_phone_matching_segment(unsaved, TODAY).values_list("phone", flat=True)
    return sorted(int(phone[-2:]) for phone in found)


def listed(store, *contacts, name="regulars"):
    target = List.objects.create(owner=store, name=name)
    ListMembership.objects.bulk_create(ListMembership(list=target, contact=c) for c in contacts)
    return target


def messaged(store, one, days, **fields):
    """A message of a campaign that ended so many days ago."""
    at = timezone.now() - timedelta(days=days)
    campaign = make_campaign(store, None, status="completed", finished_at=at, total=1, sent=1)
    return CampaignMessage.objects.create(
        owner=store, campaign=campaign, contact=one, to=one.phone, text="Hi", segments=1,
        tracking_id=f"t{one.pk}x{campaign.pk}", status="sent", sent_at=at, **fields
    )  # fmt: skip


def choice(source, is_excluded=False):
    kind = "list" if isinstance(source, List) else "segment"
    return AudienceChoice(**{kind: source}, is_excluded=is_excluded)


def campaign_to(store, *choices, **fields):
    campaign = Campaign(owner=store, created_by=store, name="x", message_text="Hello", **fields)
    campaign.choose_audience(choices)
    campaign.full_clean()
    campaign.save()
    return campaign


def test_each_condition_of_a_contact_keeps_those_who_meet_it(alice):
    contact(alice, 1, gender="female", birthday=years_before(TODAY, 25))
    contact(alice, 2, gender="male", birthday=years_before(TODAY, 26) + timedelta(days=1))
    contact(alice, 3, birthday=years_before(TODAY, 26))
    make_contact(alice, "+4915123456704", birthday=date(1990, 5, 2))
    contact(make_store("bob"), 5, gender="female", birthday=date(1990, 5, 2))
    assert numbers(alice, gender="female") == [1]
    assert numbers(alice, age_from=25, age_to=25) == [1, 2]
    assert numbers(alice, age_from=26) == [3, 4]
    assert numbers(alice, birth_month=5) == [4]
    assert numbers(alice, calling_code="49") == [4]
    assert numbers(alice, calling_code="30") == [1, 2, 3]
    assert numbers(alice, gender="male", birth_month=5) == []


def test_a_big_list_is_counted_in_the_order_of_its_indexes(alice):
    on_list = {"in_lists": [make_big_list(alice, 20_000).pk]}
    big = Segment(owner=alice, name="x", conditions=on_list)
    with connection.cursor() as cursor:  # as for a million
        cursor.execute("ANALYZE contacts_listmembership")
        for name in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
            cursor.execute(f"SET LOCAL {name} = 0")
    plan = contacts_with_phone_matching_segment(big, TODAY).explain()
    assert "Parallel Hash" not in plan


def test_lists_messages_and_clicks_are_conditions_too(alice):
    one, two, _ = (contact(alice, n) for n in (1, 2, 3))
    regulars, vip = listed(alice, one, two), listed(alice, two, name="vip")
    assert numbers(alice, in_lists=[regulars.pk], not_in_lists=[vip.pk]) == [1]
    assert numbers(alice, not_in_lists=[regulars.pk, vip.pk]) == [3]
    recent, old = messaged(alice, one, days=3), messaged(alice, two, days=40)
    assert numbers(alice, messaged_within_days=7) == [1]
    assert numbers(alice, not_messaged_within_days=30) == [2, 3]
    for message, days in ((recent, 2), (old, 39)):
        OfferViewEvent.objects.create(
            campaign_message=message, campaign=message.campaign, owner=alice,
            viewed_at=timezone.now() - timedelta(days=days),
        )  # fmt: skip
    assert numbers(alice, clicked_within_days=7) == [1]
    assert numbers(alice, not_clicked_within_days=30) == [2, 3]
    assert numbers(alice, clicked_within_days=90) == [1, 2]


def test_who_joined_since_a_day_is_decided_by_the_stores_clock():
    store = make_store(timezone="Asia/Tokyo")
    midnight = datetime(2026, 6, 1, tzinfo=ZoneInfo("Asia/Tokyo"))
    for number, seconds in ((1, -1), (2, 0)):
        one = contact(store, number)
        created = midnight + timedelta(seconds=seconds)
        Contact.objects.filter(pk=one.pk).update(created_at=created)
    assert numbers(store, joined_since="2026-06-01") == [2]
    assert numbers(store, joined_since="0001-01-01") == [1, 2]


def test_a_count_says_why_others_are_left_out(alice):
    adult = years_before(timezone.now().date(), 30)
    for number in range(3):
        contact(alice, number, gender="female", birthday=adult)
    for number in range(3, 5):
        contact(alice, number, gender="female")
    contact(alice, 5, birthday=adult)
    contact(alice, 6, gender="female", birthday=adult, is_subscribed=False)
    contact(alice, 7, gender="female", birthday=adult, restricted_at=timezone.now())
    blocked = contact(alice, 8, gender="female", birthday=adult)
    Suppression.objects.create(owner=alice, phone_hash=phone_hash(blocked.phone), reason="list")
    contact(alice, 9, gender="male")
    count = count_or_estimate_segment_and_left_out(
        segment(alice, gender="female", age_from=25, age_to=39)
    )
    assert (count.matching, count.reachable, count.is_exact) == (6, 3, True)
    assert {one.reason: one.contacts for one in count.left_out} == {
        "they have not agreed to this type of message": 1,
        "they are restricted": 1,
        "they have no birthday": 2,
        "they have no gender": 1,
        "they have a suppressed number, or a reply of theirs waits for a decision": 1,
    }


def test_a_minor_is_never_in_an_audience_whatever_chooses_it(alice):
    child = contact(alice, 1, birthday=years_before(timezone.now().date(), 17), gender="female")
    grown = contact(alice, 2, gender="female")
    for campaign in (
        campaign_to(alice, choice(segment(alice, gender="female"))),
        campaign_to(alice, choice(listed(alice, child, grown))),
        campaign_to(alice, to_everybody=True),
    ):
        assert list(campaign_audience_with_consent_and_age(campaign)) == [grown]


def test_several_lists_and_segments_join_and_exclusions_leave_out(alice):
    ones = [contact(alice, n, gender="female" if n == 4 else None) for n in range(6)]
    first, second = listed(alice, *ones[:2]), listed(alice, ones[1], ones[2], name="second")
    women, vip = segment(alice, gender="female"), listed(alice, ones[0], name="vip")
    campaign = campaign_to(
        alice, choice(first), choice(second), choice(women), choice(vip, is_excluded=True)
    )
    assert set(campaign_audience_with_consent_and_age(campaign)) == {ones[1], ones[2], ones[4]}
    everybody = campaign_to(alice, choice(women, is_excluded=True), to_everybody=True)
    # Whose gender is not known is not in the excluded segment.
    assert set(campaign_audience_with_consent_and_age(everybody)) == {*ones} - {ones[4]}
    left_out = {one.reason: one.contacts for one in preview_campaign(everybody).left_out}
    assert left_out == {"they are on an excluded list or in an excluded segment": 1}
    enqueue.enqueue_campaign(campaign.pk)
    messages = CampaignMessage.objects.values_list("contact", flat=True)
    assert sorted(messages) == sorted(one.pk for one in (ones[1], ones[2], ones[4]))


def test_the_count_and_the_start_ask_for_the_same_contacts_in_one_query(alice):
    make_list(alice, 4, gender="female")
    campaign = campaign_to(alice, choice(segment(alice, gender="female")))
    audience = campaign_audience_with_consent_and_age(campaign)
    with CaptureQueriesContext(connection) as queries:
        assert audience.count() == 4
    assert len(queries) == 1
    enqueue.enqueue_campaign(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.total == preview_campaign(campaign).recipients == 4


@pytest.mark.parametrize(
    ("values", "says"),
    [({}, "at least one condition"), ({"age_from": 40, "age_to": 20}, "below the first"),
     ({"age_from": 12}, "greater than or equal to 18"), ({"gender": "fmale"}, "fmale"),
     ({"in_lists": ["no such"]}, "no such"), ({"joined_since": "12/13/2026"}, "valid date"),
     ({"clicked_within_days": "soon"}, "whole number")],
)  # fmt: skip
def test_a_condition_that_cannot_be_read_is_refused(alice, values, says):
    with pytest.raises(ValidationError, match=says):
        segment(alice, **values)
    assert not Segment.objects.exists()


def test_a_list_of_another_store_is_no_condition_and_no_part(alice):
    theirs = listed(make_store("bob"), name="theirs")
    with pytest.raises(ValidationError):
        segment(alice, in_lists=["theirs"])
    for source in (theirs, segment(make_store("carol"), gender="female")):
        with pytest.raises(ValidationError, match="belongs to another store"):
            campaign_to(alice, choice(source))


def test_a_segment_that_names_a_deleted_list_starts_nothing(alice):
    contact(alice, 1)
    vip = listed(alice, name="vip")
    campaign = campaign_to(alice, choice(segment(alice, not_in_lists=["vip"])))
    vip.delete()
    assert "names a list that was deleted" in preview_campaign(campaign).problem
    with pytest.raises(CannotStart, match="names a list that was deleted"):
        enqueue.enqueue_campaign(campaign.pk)


def test_what_a_campaign_is_for_or_not_for_cannot_be_deleted(alice):
    vip, women = listed(alice, name="vip"), segment(alice, gender="female")
    campaign_to(alice, choice(vip, is_excluded=True), choice(women, is_excluded=True))
    for source in (vip, women):
        with pytest.raises(ProtectedError):
            source.delete()


def test_two_kinds_of_audience_at_once_are_one_too_many(alice):
    women = segment(alice, gender="female")
    for fields in ({"to_everybody": True}, {"filter_gender": "female"}):
        campaign = campaign_to(alice, choice(women), **fields)
        assert preview_campaign(campaign).problem.startswith("Choose everybody, or lists and")


def test_a_copy_has_the_same_parts_and_a_changed_segment_ends_a_confirmation(alice):
    women, vip = segment(alice, gender="female"), listed(alice, name="vip")
    campaign = campaign_to(alice, choice(women), choice(vip, is_excluded=True))
    copy = actions.duplicate_as_draft(campaign, by=alice)
    assert [str(one) for one in copy.audience_choices()] == ["chosen", "without vip"]
    before = service_campaigns.settings_digest(campaign)
    Segment.objects.update(conditions={"gender": "male"})
    assert service_campaigns.settings_digest(Campaign.objects.get(pk=campaign.pk)) != before


def test_commands_create_count_and_send(alice, capsys):
    make_list(alice, 3, gender="female")
    for number in (91, 92):
        contact(alice, number, gender="male")
    call_command("create_segment", "alice@example.com", "women", gender="female", json=True)
    answer = json.loads(capsys.readouterr().out)
    assert (answer["matching"], answer["reachable"], answer["left_out"]) == (3, 3, [])
    call_command("create_segment", "alice@example.com", "men", "--gender", "male", "--count")
    assert "men: 2 match, 2 get marketing" in capsys.readouterr().out
    assert Segment.objects.get().conditions == {"gender": "female"}
    with pytest.raises(CommandError, match="already exists"):
        call_command("create_segment", "alice@example.com", "women", gender="male")
    send = ("send_campaign", "alice@example.com", "--name", "x", "--text", "Hi")
    call_command(*send, "--segment", "women")
    assert "sending, 3 messages" in capsys.readouterr().out
    call_command(*send, "--everybody", "--without-segment", "women")
    assert "sending, 2 messages" in capsys.readouterr().out
    with pytest.raises(CommandError, match="has no segment 'children'"):
        call_command(*send, "--segment", "children")


def test_an_operator_sets_conditions_in_a_form_and_sees_the_count(alice, admin_client):
    one = contact(alice, 1, gender="female", birthday=date(1990, 5, 2))
    contact(alice, 2, gender="female")
    target = listed(alice, one)
    form = {"owner": alice.pk, "name": "May", "gender": "female", "birth_month": "5",
            "in_lists": [target.pk]}  # fmt: skip
    seen = admin_client.post(reverse("admin:campaigns_segment_count"), form).text
    assert "<dd>1</dd>" in seen
    seen = admin_client.post(reverse("admin:campaigns_segment_count"), form | {"in_lists": []}).text
    assert "1 left out: they have no birthday." in seen
    refused = admin_client.post(reverse("admin:campaigns_segment_add"), form | {"in_lists": ["x"]})
    assert "not a valid value" in refused.text and not Segment.objects.exists()
    admin_client.post(reverse("admin:campaigns_segment_add"), form)
    saved = Segment.objects.get()
    assert saved.conditions == {"gender": "female", "birth_month": 5, "in_lists": [target.pk]}
    page = admin_client.get(reverse("admin:campaigns_segment_change", args=[saved.pk])).text
    assert 'value="5" selected' in page and "regulars" in page
    campaign = {"owner": alice.pk, "name": "x", "message_type": "marketing", "message_text": "Hi",
                "segments": [saved.pk], "excluded_lists": []}  # fmt: skip
    seen = admin_client.post(reverse("admin:campaigns_campaign_preview"), campaign).text
    assert "<dt>recipients</dt><dd>1</dd>" in seen
    admin_client.post(reverse("admin:campaigns_campaign_add"), campaign)
    draft = Campaign.objects.get()
    assert [str(one) for one in draft.audience_choices()] == ["May"]
    page = admin_client.get(reverse("admin:campaigns_campaign_change", args=[draft.pk])).text
    assert f'<option value="{saved.pk}" selected' in page
    admin_client.post(
        reverse("admin:campaigns_campaign_change", args=[draft.pk]),
        campaign | {"segments": [], "to_everybody": "on", "excluded_segments": [saved.pk]},
    )
    draft = Campaign.objects.get()
    assert draft.to_everybody and [str(one) for one in draft.audience_choices()] == ["without May"]


def test_a_viewer_reads_what_a_campaign_and_a_segment_choose_and_changes_nothing(alice, client):
    women = segment(alice, gender="female", in_lists=[listed(alice).name])
    draft = campaign_to(alice, choice(women), choice(listed(alice, name="vip"), is_excluded=True))
    clerk = User.objects.create_user("clerk@example.com", is_staff=True)
    names = ("view_campaign", "view_segment", "view_list")
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(clerk)
    page = client.get(reverse("admin:campaigns_segment_change", args=[women.pk])).text
    assert "gender: female; in lists: regulars" in page
    page = client.get(reverse("admin:campaigns_campaign_change", args=[draft.pk])).text
    assert "vip" in page and "Without these lists" in page
    for name, args in (("campaigns_segment_count", []), ("contacts_list_members", [1])):
        assert client.post(reverse(f"admin:{name}", args=args), {}).status_code == 403
