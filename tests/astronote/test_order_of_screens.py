"""What the apps bring to the screens, in the order in which operators see it."""

import pytest
from django.contrib import admin

from astronote.operations import registry
from contacts import contact_page
from tests.support.factories import make_contact, make_store

pytestmark = pytest.mark.django_db
SIDEBAR = {
    "None": ["Home", "Campaigns", "Inbox", "Contacts", "Imports", "Stores"],
    "SMS messages": [
        "Message log", "Messages from a file", "Campaign messages", "Automation messages",
        "Messages of rules", "Tests and requests", "Batches", "Replies to decide",
        "Events from Mitto", "Sending stops",
    ],
    "Money": [
        "Wallets", "Ledger", "Reservations", "Payments", "Refunds and disputes", "Invoices",
        "Invoice recipients", "Plans", "Packages",
    ],
    "Privacy and proof": [
        "Consent events", "Opt-in requests", "Suppressions", "Record of processing",
        "Retention runs", "Retention actions", "Audit trail",
    ],
    "More": [
        "Automations", "Automation rules", "Customer events", "Custom fields", "Lists", "Segments",
        "Exports", "Templates", "Saved answers", "Short links", "Offer views",
        "QR codes and NFC tags", "Scans", "Sign-up pages", "Sign-ups", "Conversions",
        "Redemptions", "Operators", "Logins", "Failed logins", "Queues",
    ],
}  # fmt: skip
PANELS = {
    "home": ["first steps", "replies to decide", "in progress", "scheduled", "last days",
             "failures", "queues", "recurring", "watchdog", "wallets"],
    "store": ["first steps", "wallet", "money", "sending", "links", "ledger", "sign-up",
              "automations", "off-boarding"],
    "contact": ["messages", "replies"],
    "first steps": ["Add a store", "Give the store a sender", "Connect Mitto",
                    "Top up the store's wallet", "Import the store's customers",
                    "Have somebody who agreed to marketing", "Send a test to your own phone",
                    "Send the first campaign"],
}  # fmt: skip
NAMES = {
    "banners": {"queues", "receipts missing", "low balance", "sending stops"},
    "health_checks": {
        "postgresql", "migrations", "redis", "scheduler", "workers", "jobs", "suppressions",
        "sending", "replies", "batches",
    },
    "metric_sources": {
        "watchdog", "redis", "queues", "batches", "events", "mitto calls", "sending stops",
        "campaign messages",
    },
    "repairs": {
        "jobs_of_dead_workers", "imports_enqueued", "claims_taken_back", "given_up_as_unknown",
        "batches_enqueued", "reservations_expired", "wallets_wrong", "held_batches_released",
        "campaigns_started", "cancellings_finished", "exports_enqueued", "campaigns_repaired",
        "signups_enqueued", "work_of_left_stores_ended",
    },
    "search_sources": {"stores", "contacts", "campaigns", "messages"},
    "operator_models": {"astronote", "contacts", "messaging", "campaigns"},
    "store_checks": {"opt-out line", "opt-in wording"},
    "new_store_fields": {"first_credits"},
    "async_paths": {"mitto webhooks"},
    "upload_paths": {
        "custom fields", "customer lists", "suppressions", "messages from a file",
    },
    "recurring_jobs": {"contacts", "messaging", "campaigns", "compliance"},
}  # fmt: skip
CONTACT_ACTIONS = {
    "record_consent", "ask_for_consent", "opt_out_of_marketing", "opt_out_of_service",
    "show_person", "export_person", "object_for_person", "restrict_person", "lift_restriction",
    "erase_or_restrict_person",
}  # fmt: skip


def test_the_sidebar_has_its_links_in_order(admin_client):
    sections = admin_client.get("/admin/").context["sidebar_navigation"]
    shown = {str(one["title"]): [str(link["title"]) for link in one["items"]] for one in sections}
    assert shown == SIDEBAR and list(shown) == list(SIDEBAR)


def assert_panels_in_order(page, items, names):
    template_by_name = {str(item.name): item.template for item in items}
    expected = [template_by_name[name] for name in names]
    assert [one.name for one in page.templates if one.name in expected] == expected


def test_the_home_page_has_its_panels_in_order(admin_client):
    assert_panels_in_order(admin_client.get("/admin/"), registry.home_panels, PANELS["home"])


def test_a_stores_page_has_its_panels_in_order(admin_client):
    page = admin_client.get(f"/admin/astronote/user/{make_store().pk}/change/")
    assert_panels_in_order(page, registry.store_panels, PANELS["store"])


def test_a_contacts_page_has_its_panels_in_order(admin_client):
    person = make_contact(make_store())
    page = admin_client.get(f"/admin/contacts/contact/{person.pk}/change/")
    assert_panels_in_order(page, contact_page.contact_panels, PANELS["contact"])


def test_the_first_steps_are_in_the_order_in_which_they_are_done(admin_client):
    page = admin_client.get("/admin/").text
    places = [page.find(step.replace("'", "&#x27;")) for step in PANELS["first steps"]]
    assert -1 not in places and places == sorted(places)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_the_apps_bring_is_missing(name):
    assert {str(item.name) for item in getattr(registry, name)} == NAMES[name]


def test_no_action_of_a_contacts_page_is_missing():
    assert {action.name for action in contact_page.contact_actions} == CONTACT_ACTIONS


def test_no_column_is_hidden_by_a_field_of_its_name():
    """Django shows the field, and never asks the method that would write it for people."""
    hidden = [
        f"{model._meta.label}.{name}"
        for model, shown in admin.site._registry.items()
        for name in {*shown.list_display, *shown.readonly_fields}
        if isinstance(name, str)
        and name in {field.name for field in model._meta.get_fields()}
        and hasattr(type(shown), name)
    ]
    assert hidden == []
