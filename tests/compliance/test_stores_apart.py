"""Stores are apart: what a store sees and changes is its own, also if another is filled alike."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.db import transaction
from django.test import RequestFactory
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from astronote.common.admin_lists import STORE_PARAMETER
from astronote.models import User
from campaigns import enqueue, list_members, panels, reports
from campaigns.automations import rule_presets, rules
from campaigns.models import (
    Automation,
    AutomationRule,
    AutomationType,
    Campaign,
    CampaignMessage,
    OfferViewEvent,
    Segment,
)
from campaigns.preview import preview_campaign, preview_recipient_texts
from campaigns.segments import (
    contacts_with_phone_matching_segment,
    describe_segment_conditions,
    segment_problem,
)
from compliance import off_boarding, rights
from contacts import marketing_blocks, restriction, suppressions
from contacts.consent import change_consent
from contacts.importing import lifecycle, planning
from contacts.models import Contact, ContactImport, CustomerEvent, List, ListMembership
from messaging import (
    credits,
    direct_messages,
    opt_in_requests,
    opt_out_confirmations,
    outcomes,
    starter_templates,
)
from messaging import panels as messaging_panels
from messaging.models import Batch, MessageTemplate
from messaging.outcomes import Outcome
from tests.support.checks import rows_of_other_stores
from tests.support.factories import make_store

pytestmark = pytest.mark.django_db
# Each store has customers with these numbers.
ANN, BEN, CAT, DAN, EVE = PHONES = [f"+30690000000{n}" for n in range(5)]
TODAY = date(2026, 6, 1)


def fill(name: str) -> User:
    """A store with something of everything; its own name is in all texts."""
    store = make_store(
        name, phone_region="GR", sender_name="+302100000001", double_opt_in=True, language="en",
        confirms_opt_outs=True,
    )  # fmt: skip
    now = timezone.now()
    ann, ben, cat, dan, eve = contacts = [
        Contact.objects.create(
            owner=store, phone=phone, first_name="Ann", last_name=name, is_subscribed=True
        )
        for phone in PHONES
    ]
    Contact.objects.filter(pk__in=[ann.pk, ben.pk]).update(
        gender="female", birthday=now.date() + timedelta(days=2 - 365 * 40 - 10)
    )
    change_consent(cat.pk, "unsubscribed", source="inbound_stop")
    change_consent(cat.pk, "service_revoked", source="test")
    restriction.restrict_contact(dan.pk, reason=name, by="test")
    regulars = List.objects.create(owner=store, name="regulars", description=name)
    ListMembership.objects.bulk_create(
        ListMembership(list=regulars, contact=contact) for contact in contacts[:4]
    )
    for title, conditions in CONDITIONS.items():
        chosen = {"in_lists": [regulars.pk]} if title == "in list" else conditions
        Segment.objects.create(owner=store, name=title, conditions=chosen)
    MessageTemplate.objects.create(owner=store, name="Sale", text=f"Sale of {name}")
    for kind in AutomationType:
        Automation.objects.create(
            owner=store,
            type=kind,
            message_body=f"{kind} of {name}",
            is_active=kind == AutomationType.BIRTHDAY,
        )
    AutomationRule.objects.create(
        owner=store, name="Birthdays", message_body=f"Birthday at {name}", is_active=True,
        trigger_type="birthday", preset_key="birthday",
    )  # fmt: skip
    AutomationRule.objects.create(
        owner=store, name="Visits", message_body=f"Visit at {name}", is_active=True,
        trigger_type="event", event_type="appointment", event_status="scheduled",
        event_time_field="start_at", offset_minutes=-60,
    )  # fmt: skip
    CustomerEvent.objects.create(
        owner=store, contact=ben, event_type="appointment", status="scheduled", external_ref="1",
        start_at=now + timedelta(days=1),
    )  # fmt: skip
    started = enqueue.enqueue_campaign(campaign_of(store, list=regulars).pk)
    messages = list(CampaignMessage.objects.filter(campaign=started).order_by("pk"))
    outcomes.record_outcomes_and_settle_credits(
        CampaignMessage, [Outcome(one.pk, "sent", f"{name}{one.pk}") for one in messages]
    )
    OfferViewEvent.objects.create(campaign_message=messages[0], campaign=started, owner=store)
    direct_messages.get_or_enqueue_even_if_opted_out(store, EVE, f"Hello from {name}", key="k")
    one = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "old.csv", [b"phone,nick\n6900000000,Ann\n"]
    )
    planning.plan_import_and_store_plan_or_refuse(one)
    ContactImport.objects.filter(pk=one.pk).update(
        status="completed",
        finished_at=now,
        mapping={"phone": [0], "first_name" if name == "alice" else "last_name": [1]},
    )
    campaign_of(store, name="Next", to_everybody=True)
    lifecycle.create_unstarted_import_or_refuse(store.pk, "next.csv", [b"phone\n6900000099\n"])
    eve.optinrequest_set.create(purpose="double_opt_in", wording=f"May {name}?")
    return store


CONDITIONS = {
    "women": {"gender": "female"},
    "in list": {},
    "messaged": {"messaged_within_days": 9},
    "not messaged": {"not_messaged_within_days": 9},
    "clicked": {"clicked_within_days": 9},
    "not clicked": {"not_clicked_within_days": 9},
}


def campaign_of(store: User, **fields) -> Campaign:
    fields = {"name": "Spring", "message_text": "Hello {{first_name}} {{last_name}}"} | fields
    return Campaign.objects.create(owner=store, created_by=store, **fields)


def printed(command: str, *arguments: str, **options) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, stderr=out, **options)
    return out.getvalue()


def printed_json(command: str, *arguments: str, **options):
    found = json.loads(printed(command, *arguments, json=True, **options))
    return [without_ids(one) for one in found] if isinstance(found, list) else without_ids(found)


def without_ids(found: dict) -> dict:
    return {name: value for name, value in found.items() if name not in ("id", "list", "campaign")}


def phones_in(contacts) -> list[str]:
    return sorted(contacts.values_list("phone", flat=True))


def figures(store: User) -> Iterator[tuple[str, object]]:
    """What the store sees, by name, without ids and times."""
    regulars = List.objects.get(owner=store, name="regulars")
    for title, fields in {
        "list": {"list": regulars},
        "everybody": {"to_everybody": True},
        "women": {"filter_gender": "female"},
        "ages": {"filter_age_group": "age_25_39"},
    }.items():
        draft = Campaign(
            owner=store, created_by=store, name="x", message_text="Hi {{last_name}}", **fields
        )
        yield f"preview to {title}", preview_campaign(draft)
    for segment in Segment.objects.filter(owner=store):
        found = contacts_with_phone_matching_segment(segment, TODAY)
        yield f"segment {segment.name}", phones_in(found)
        yield f"conditions of {segment.name}", describe_segment_conditions(segment)
        draft = Campaign(owner=store, created_by=store, name="x", message_text="Hi")
        draft.choose_audience([draft.audiencechoices.model(segment=segment)])
        yield f"preview to {segment.name}", preview_campaign(draft)
    draft = Campaign(owner=store, name="x", message_text="Hi {{last_name}}", list=regulars)
    texts = preview_recipient_texts(draft, "ann")
    yield "texts", [(one.contact.phone, one.text, one.why_not) for one in texts]
    campaign = Campaign.objects.get(owner=store, name="Spring")
    for result in list_members.CampaignResult:
        found = list_members.contacts_with_campaign_result(campaign, result)
        yield f"members who {result}", phones_in(found)
    yield (
        "numbers",
        phones_in(list_members.find_contacts_by_written_numbers(store, PHONES).contacts),
    )
    others = reports.other_campaigns_this_week(draft)
    yield "other campaigns", [one.name for one in others]
    today = timezone.now().date()
    yield "report", reports.store_report(store, today - timedelta(days=1), today)
    yield "campaign report", reports.campaign_report(campaign).as_dict() | {"id": 0}
    yield "off-boarding", off_boarding.count_consequences(store)
    held = rights.collect_held_data_of_person_and_audit(ANN, store.pk, by="test")
    parts = {name: len(one) for name, one in held.items() if isinstance(one, (list, dict))}
    yield "personal data", parts
    lines = suppressions.suppressions_csv_lines(store.pk)
    yield "suppressions", [line.split(",")[:2] for line in lines]
    yield "suppressed", marketing_blocks.phones_suppressed_at_store_or_everywhere(store.pk, PHONES)
    yield "restricted", restriction.restricted_phones(store.pk, [*PHONES, "+306900000077"])
    upcoming = rules.preview_rule_messages(store)
    yield "upcoming", [(one.rule.id > 0, one.total) for one in upcoming]
    yield "automation", printed_json("automation", "show", store.email, "birthday")
    yield "rules", printed_json("automation_rules", "list", store.email)
    yield "templates", printed_json("templates", "list", store.email)
    yield "store", printed_json("store", store.email)
    request = RequestFactory().get("/")
    request.user = store
    yield (
        "automations on the page",
        [
            text
            for _, text in panels.create_links_and_automations_context(request, store)[
                "automations"
            ]
        ],
    )
    ledger = messaging_panels.store_ledger_by_day_context(request, store)["ledger"]
    yield "ledger", [(line.type, line.amount, line.balance_after) for line in ledger]
    for text in (b"phone,nick\n6900000001,Ann\n", b"phone,name\n6900000001,Ann\n6900000077,Zoe\n"):
        one = lifecycle.create_unstarted_import_or_refuse(store.pk, "new.csv", [text])
        plan = planning.plan_import_and_store_plan_or_refuse(one)
        yield f"plan of {text}", (plan.mapping, [row.result for row in plan.preview_rows])


@contextmanager
def undone():
    """What is done in the block is undone at its end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_another_store_that_is_filled_alike_changes_nothing_that_a_store_sees():
    with undone():
        alone = dict(figures(fill("alice")))
    bob, alice, _ = fill("bob"), fill("alice"), fill("charlie")
    Contact.objects.filter(owner=bob).exclude(phone=ANN).update(birthday=None, gender=None)
    Contact.objects.create(owner=bob, phone="+306900000077", restricted_at=timezone.now())
    among_others = dict(figures(alice))
    changed = [name for name in alone if among_others[name] != alone[name]]
    assert not changed, f"another store changes: {', '.join(changed)}"


def test_a_segment_that_names_a_list_of_another_store_cannot_be_used():
    foreign = List.objects.create(owner=make_store("bob"), name="bobs-regulars")
    segment = Segment.objects.create(
        owner=make_store("alice"), name="x", conditions={"in_lists": [foreign.pk]}
    )
    assert "names a list that was deleted" in segment_problem(segment)
    assert "bobs-regulars" not in describe_segment_conditions(segment)


def test_a_contact_that_was_moved_to_another_store_is_in_no_result_of_a_campaign():
    alice, bob = fill("alice"), make_store("bob")
    Contact.objects.filter(owner=alice, phone=ANN).update(owner=bob)
    campaign = Campaign.objects.get(name="Spring")
    assert phones_in(list_members.contacts_with_campaign_result(campaign, "clicked")) == []


# The pages of a store and of its rows

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
ACTIONS = ("start", "test", "schedule")  # pages that ask before they do it


def pages_of(store: User) -> Iterator[str]:
    """The addresses of the admin that are made for this store or for one of its rows."""
    paths = dict(model_paths(store))
    for route in routes(get_resolver().url_patterns, ""):
        names = PARAMETER.findall(route)
        folder = "/".join(route.split("/")[:3])
        if not names or re.search(r"delete|history|<path:object_id>/$", route):
            continue
        if names == ["store_id"] or "/stores/" in route:
            yield "/" + PARAMETER.sub(str(store.pk), route)
        elif folder in paths and len(names) == 1:
            yield "/" + PARAMETER.sub(str(paths[folder]), route)
        elif folder in paths and names[1:] == ["name"]:
            for action in ACTIONS:
                yield "/" + PARAMETER.sub(action, PARAMETER.sub(str(paths[folder]), route, count=1))


def model_paths(store: User) -> Iterator[tuple[str, int]]:
    """The beginning of the addresses of each model, with the store's newest row of it."""
    for model in admin.site._registry:
        names = {field.name for field in model._meta.get_fields()}
        if model._meta.managed and "owner" in names:
            found = model._default_manager.filter(owner=store).order_by("-pk").first()
            if found:
                yield f"admin/{model._meta.app_label}/{model._meta.model_name}", found.pk
    yield "admin/astronote/user", store.pk


def routes(patterns: list[Any], before: str) -> Iterator[str]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route


def test_no_page_of_a_store_names_anything_of_another(admin_client):
    fill("bob"), fill("alice"), fill("charlie")
    alice = User.objects.get(email="alice@example.com")
    shown, naming = 0, []
    for page in pages_of(alice):
        answer = admin_client.get(page, follow=True)
        if answer.status_code == 200 and not answer.streaming:
            shown += "alice" in answer.text
            # The addresses of all stores may be choices of a form.
            naming += [page for _ in re.findall(r"\b(?:bob|charlie)\b(?!@)", answer.text)[:1]]
    assert naming == []
    assert shown > 20


def test_each_list_can_be_asked_for_the_rows_of_one_store(admin_client):
    fill("bob")
    alice = fill("alice")
    for folder, _ in model_paths(alice):
        if folder != "admin/astronote/user":
            page = admin_client.get(f"/{folder}/?{STORE_PARAMETER}={alice.pk}", follow=True)
            assert {row.owner_id for row in page.context["cl"].result_list} == {alice.pk}, folder


# What changes a store's rows


def person(store: User, phone: str = ANN) -> Contact:
    return Contact.objects.get(owner=store, phone=phone)


def import_file(store: User) -> None:
    one = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "new.csv", [b"phone,name\n6900000000,Zoe\n6900000077,Zoe\n"],
        list_name="regulars", update_existing=True,
    )  # fmt: skip
    planning.plan_import_and_store_plan_or_refuse(one)
    lifecycle.start_import_audit_and_enqueue_or_raise(one, by="test")
    assert lifecycle.run_open_import_unless_running(one.pk).status == "completed"


def import_and_ask(store: User) -> None:
    Contact.objects.filter(phone=ANN).update(is_subscribed=False)
    before = rows_of_other_stores(store)
    one = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "new.csv", [b"phone,name,sms consent\n6900000000,Zoe,yes\n6900000004,Zoe,no\n"],
        consent_source="form", consent_at=timezone.now(), consent_wording="Yes",
    )  # fmt: skip
    planning.plan_import_and_store_plan_or_refuse(one)
    lifecycle.start_import_audit_and_enqueue_or_raise(one, by="test")
    assert lifecycle.run_open_import_unless_running(one.pk).status == "completed"
    assert person(store).optinrequest_set.count() == 1
    assert person(store, EVE).optinrequest_set.get().closed_at
    assert rows_of_other_stores(store) == before


def send_requests(store: User) -> None:
    Contact.objects.filter(phone=EVE).update(is_subscribed=False)
    before = rows_of_other_stores(store)
    assert opt_in_requests._send_or_close_next_requests_of_store(store)["sent"] == 1
    assert rows_of_other_stores(store) == before


def record_visit(store: User) -> None:
    printed(
        "customer_events", store.email, number=ANN, type="appointment", external_ref="2",
        start="2026-05-17 10:00",
    )  # fmt: skip
    assert CustomerEvent.objects.get(external_ref="2").contact == person(store)


def send_campaign(store: User) -> None:
    printed(
        "send_campaign", store.email, name="x", list_name="regulars", template="Sale",
        segments=["women", "clicked"], without_segment=["not messaged"],
    )  # fmt: skip
    sent = Campaign.objects.latest("pk")
    texts = CampaignMessage.objects.filter(campaign=sent).values_list("text", flat=True)
    assert {text.splitlines()[0] for text in texts} == {"Sale of alice"}


def erase_store(store: User) -> None:
    off_boarding.off_board_store(store, erase_on=timezone.now().date(), by="test")
    off_boarding.end_open_work_and_erase_data_if_due(store.pk)
    assert not Contact.objects.filter(owner=store).exclude(phone=DAN).exists()


def members(store: User, action: str, **options) -> None:
    printed("list_members", action, store.email, "regulars", **options)


def remove_women(store: User) -> None:
    members(store, "remove", segment="women")
    assert phones_in(Contact.objects.filter(listmembership__list__owner=store)) == [CAT, DAN]


def campaign_pk(store: User) -> int:
    return Campaign.objects.get(owner=store, name="Spring").pk


def confirm_opt_out(store: User) -> None:
    Contact.objects.filter(phone=ANN).exclude(owner=store).update(service_allowed=False)
    count = store.directmessage_set.count()
    before = rows_of_other_stores(store)
    opt_out_confirmations.enqueue_opt_out_confirmation(store.pk, ANN, idempotency_key="x")
    assert store.directmessage_set.count() == count + 1
    assert rows_of_other_stores(store) == before


def add_templates_and_rules(store: User) -> None:
    for other in User.objects.exclude(pk=store.pk):
        starter_templates.copy_library_templates(other, "en", by="test")
        rule_presets.add_missing_presets(other, "en", by="test")
    before = rows_of_other_stores(store)
    assert starter_templates.copy_library_templates(store, "en", by="test")
    assert rule_presets.add_missing_presets(store, "en", by="test")
    assert rows_of_other_stores(store) == before


def message_with_the_key_of_another_stores(store: User) -> None:
    for other in User.objects.exclude(pk=store.pk):
        direct_messages.get_or_enqueue_even_if_opted_out(other, EVE, "Hello", key="new")
    made = direct_messages.get_or_enqueue_even_if_opted_out(store, EVE, "Hello", key="new")
    assert made.owner == store


CHANGES = {
    "opt out": lambda store: change_consent(person(store).pk, "unsubscribed", source="test"),
    "opt in": lambda store: change_consent(person(store, CAT).pk, "subscribed", source="test"),
    "opt-out by command": lambda store: printed("consent", "opt-out", ANN, store=store.email),
    "restrict": lambda store: rights.restrict_contacts_with_phone(
        ANN, store.pk, reason="x", by="test"
    ),
    "lift": lambda store: rights.lift_restrictions_of_contacts_with_phone(DAN, store.pk, by="test"),
    "correct": lambda store: rights.correct_contacts_with_phone_and_audit(
        ANN, {"first_name": "Zoe"}, store.pk, by="test"
    ),
    "object": lambda store: rights.withdraw_all_consent(ANN, store.pk, by="test"),
    "erase": lambda store: rights.erase_or_restrict_person_by_phone(ANN, store.pk, by="test"),
    "suppress": lambda store: marketing_blocks.wait_for_sends_and_suppress_phones(
        store.pk, [ANN], reason="x"
    ),
    "erase store": erase_store,
    "import": import_file,
    "visit": record_visit,
    "campaign": send_campaign,
    "switch": lambda store: printed("automation", "off", store.email, "birthday"),
    "reword": lambda store: printed("automation", "show", store.email, "birthday", text="x"),
    "switch rule": lambda store: printed("automation_rules", "off", store.email, "birthday"),
    "members by number": lambda store: members(store, "add", number=[EVE]),
    "members by segment": remove_women,
    "members by campaign": lambda store: members(
        store, "remove", campaign=campaign_pk(store), result="clicked"
    ),
    "members of all stores": lambda store: list_members.add_members(
        store.list_set.get(), Contact.objects.all(), by="test"
    ),
    "top up": lambda store: credits.top_up(store.pk, 1, reason="x", key="x"),
    "hold": lambda store: credits.hold_credits_where_sufficient({store.pk: 1}),
    "charge": lambda store: outcomes.record_outcomes_and_settle_credits(
        type(store.directmessage_set.get()), [Outcome(store.directmessage_set.get().pk, "sent")]
    ),
    "expire": lambda store: (
        Batch.objects.filter(owner=store).update(status="settled"),
        store.creditreservation_set.update(expires_at=timezone.now() - timedelta(1)),
        credits.expire_overdue_reservations(list(Batch.objects.values_list("pk", flat=True))),
    ),
}


def test_what_changes_a_store_changes_no_row_of_another():
    fill("bob"), fill("alice"), fill("charlie")
    alice = User.objects.get(email="alice@example.com")
    before = rows_of_other_stores(alice)
    changed = []
    for name, change in CHANGES.items():
        with undone():
            change(alice)
            after = rows_of_other_stores(alice)
        changed += [f"{name}: {table}" for table in before if before[table] != after[table]]
    assert not changed, f"rows of other stores were changed by {', '.join(changed)}"


@pytest.mark.parametrize(
    "change",
    [
        send_requests,
        import_and_ask,
        confirm_opt_out,
        add_templates_and_rules,
        message_with_the_key_of_another_stores,
    ],
)
def test_what_another_store_has_already_does_not_count(change):
    fill("bob")
    change(fill("alice"))
