"""Custom fields in segments, texts and exports: what is found, filled in and refused."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from campaigns import enqueue, exports, segments
from campaigns.direct_files import plan_file, send_file
from campaigns.models import CampaignMessage, Segment
from campaigns.preview import preview_campaign
from campaigns.segment_forms import build_segment
from contacts.models import Contact, CustomField, List, ListMembership
from messaging.models import DirectMessage, MessageTemplate
from tests.support.factories import make_campaign, make_contact, make_store
from tests.support.volume import make_contacts

pytestmark = pytest.mark.django_db
TODAY = timezone.now().date()


@pytest.fixture
def store():
    store = make_store()
    for key, type in (("city", "text"), ("visits", "number"), ("last_visit", "date")):
        CustomField.objects.create(owner=store, key=key, label=f"The {key}", type=type)
    people = [
        {"city": "Athens", "visits": 9, "last_visit": "2026-05-17"},
        {"city": "Athens", "visits": 10.5},
        {"city": "athens", "visits": 100, "last_visit": "2026-01-01"},
        {},
    ]
    for n, one in enumerate(people):
        make_contact(store, f"+30690000000{n}", custom_values=one)
    return store


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("city = Athens", "01"),
        ("The City = Athens\nvisits >= 10", "1"),
        ("visits >= 10", "12"),
        ("visits <= 10.5", "01"),
        ("visits = 9", "0"),
        ("last_visit >= 2026-02-01", "0"),
        ("last_visit <= 2026-05-17", "02"),
    ],
)
def test_contacts_are_found_by_their_values(store, text, found):
    segment = build_segment(store, "some", {"custom_fields": text})
    phones = (
        segments.contacts_with_phone_matching_segment(segment, TODAY)
        .order_by("phone")
        .values_list("phone")
    )
    assert "".join(phone[-1] for (phone,) in phones) == found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nosuch = 1", "is no custom field"),
        ("city", "is no condition"),
        ("city >= A", "compare it with = only"),
        ("visits >= many", "is no number"),
        ("visits = ", "has no value"),
        ("city = A\n" * 21, "At most 20"),
    ],
)
def test_what_is_no_condition_is_refused(store, text, problem):
    with pytest.raises(ValidationError, match=problem):
        build_segment(store, "some", {"custom_fields": text})


def test_a_segment_is_edited_as_it_was_written(store, admin_client):
    form = {"owner": store.pk, "name": "some", "custom_fields": "visits >= 3\ncity = Athens"}
    assert admin_client.post("/admin/campaigns/segment/add/", form).status_code == 302
    segment = Segment.objects.get()
    assert segment.conditions == {"custom_fields": [["visits", ">=", 3], ["city", "=", "Athens"]]}
    page = admin_client.get(f"/admin/campaigns/segment/{segment.pk}/change/").text
    assert "visits &gt;= 3\ncity = Athens" in page
    assert (
        segments.describe_segment_conditions(segment) == "custom fields: visits >= 3, city = Athens"
    )
    CustomField.objects.get(key="city").delete()
    assert "was deleted: city" in segments.segment_problem(segment)


def test_a_campaign_fills_in_the_values_as_its_preview_shows(store):
    target = List.objects.create(owner=store, name="all")
    for contact in Contact.objects.all():
        ListMembership.objects.create(list=target, contact=contact)
    text = "In {{city|town}} {{ Visits }} times, {{first_name|you}}"
    campaign = make_campaign(store, target, message_text=text)
    campaign.full_clean()
    assert preview_campaign(campaign).text.startswith("In Athens 9 times, you")
    enqueue.enqueue_campaign(campaign.pk)
    texts = CampaignMessage.objects.order_by("to").values_list("text", flat=True)
    assert [one.split("\n")[0] for one in texts] == [
        "In Athens 9 times, you",
        "In Athens 10.5 times, you",
        "In athens 100 times, you",
        "In town times, you",
    ]


@pytest.mark.parametrize("text", ["{{nosuch}}", "{{city}} {{size}}"])
def test_a_tag_that_is_no_custom_field_of_the_store_is_refused(store, text):
    CustomField.objects.create(owner=make_store("bob"), key="size", label="Size")
    with pytest.raises(ValidationError, match="is no tag"):
        make_campaign(store, None, message_text=text).full_clean()
    with pytest.raises(ValidationError, match="is no tag"):
        MessageTemplate(owner=store, name="a", text=text).full_clean()


def test_a_line_of_a_file_fills_in_the_values_of_its_contact(store, tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text(
        "number,text\n+306900000000,See you in {{city}}\n+306900000009,{{city}}\n"
        "+306900000001,{{nosuch}}\n"
    )
    plan = plan_file(store, path, "marketing")
    assert [line for line, _ in plan.rejected] == [3, 4]
    send_file(store, path, "marketing", by="test")
    assert DirectMessage.objects.get().text.startswith("See you in Athens")


def test_an_export_of_contacts_has_a_column_for_each(store):
    run = exports.request_export(store, "contacts", by="test")
    lines = list(exports.EXPORT_LINES["contacts"](run))
    assert lines[0].rstrip().endswith("lists,city,last_visit,visits,restricted")
    assert lines[1].rstrip().endswith(",Athens,2026-05-17,9,no")


@pytest.mark.slow
@pytest.mark.parametrize("text", ["city = Rare", "last_visit >= 2026-01-01"])
def test_few_are_found_among_many_by_the_index(store, text):
    make_contacts(store, 20_000, first=10)
    make_contact(store, "+306911111111", custom_values={"city": "Rare"})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE contacts_contact")
    segment = build_segment(store, "some", {"custom_fields": text})
    assert (
        "contact_custom" in segments.contacts_with_phone_matching_segment(segment, TODAY).explain()
    )
