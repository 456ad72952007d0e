"""Every page of the admin, found through the registry and the links on the pages themselves."""

import re
from collections import deque
from urllib.parse import urlsplit

import pytest
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.core.management import call_command
from django.db import connection
from django.db.models import CharField, JSONField, TextField
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from astronote.models import User
from campaigns.models import CampaignMessage
from contacts.models import Contact
from tests.support.admin_pages import fill_installation, links_on
from tests.support.copied_rows import copy_rows_of_every_list

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"
ORDER = re.compile(r"[?&](o|_facets)=")
MAX_PAGES = 120
# What a list or form shows of a row when nobody has thought of what to show.
RAW = re.compile(
    r"\bobject \(\d+\)|>\s*[A-Z][a-z]+(?:_[a-z]+)+\s*<|>\s*[a-z]+_[a-z_]+\s*</(?:th|label|dt)>"
)


@pytest.fixture
def filled(sandbox):
    """An installation in which every list has a row."""
    return fill_installation()


@pytest.mark.slow
@pytest.mark.parametrize("role", ["viewer", "operator", "administrator"])
def test_no_link_leads_to_a_refusal(client, filled, role):
    call_command("create_operator", "me@example.com", role=role, password=PASSWORD)
    client.force_login(User.objects.get(email="me@example.com"))
    waiting, seen, broken = deque(["/admin/"]), {"/admin/"}, []
    while waiting and len(seen) < MAX_PAGES:
        url = waiting.popleft()
        answer = client.get(url, follow=True)
        if answer.status_code != 200:
            broken.append(f"{answer.status_code} {url}")
        elif answer.headers["Content-Type"].startswith("text/html") and not answer.streaming:
            new = {one for one in links_on(answer.text, url) if not ORDER.search(one)} - seen
            seen |= new
            waiting.extend(sorted(new))
    assert not broken
    assert len(seen) > 50


@pytest.mark.slow
@pytest.mark.usefixtures("pages_write_no_use_of_the_session")
def test_no_list_asks_more_often_for_more_rows(admin_client, filled):
    def queries_by_list():
        found = {}
        for model in admin.site._registry:
            if not model._meta.managed:
                continue
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
            with CaptureQueriesContext(connection) as queries:
                assert admin_client.get(reverse(name)).status_code == 200
            found[name] = len(queries)
        return found

    queries_by_list()  # what is asked once and kept
    few = queries_by_list()
    copy_rows_of_every_list(30)
    many = queries_by_list()
    assert {name: n for name, n in many.items() if n > few[name] + 1} == {}


@pytest.mark.slow
def test_every_page_says_what_it_shows_in_words(admin_client, filled):
    raw = []
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label == "django_rq":
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        pages = [reverse(f"{name}_changelist")]
        request = admin_client.get(pages[0], follow=True).wsgi_request
        if row := model_admin.get_queryset(request).first():
            pages.append(reverse(f"{name}_change", args=[row.pk]))
        if model_admin.has_add_permission(request):
            pages.append(reverse(f"{name}_add"))
        for page in pages:
            answer = admin_client.get(page, follow=True)
            assert answer.status_code == 200, page
            raw += [
                f"{urlsplit(page).path}: {found.group()}" for found in RAW.finditer(answer.text)
            ]
    assert not raw


# Fields that nobody types in the admin and that hold what people, programs and Mitto wrote or gave:
# sentences, names, addresses, keys.
VERBATIM = {
    "action", "actor", "buyer", "buyer_country", "buyer_vat_number", "by", "column",
    "consent_source", "consent_version", "consent_wording", "delivery_status", "details", "error",
    "event_id", "file_name", "gdpr_consent_version", "http_accept", "idempotency_key",
    "ip_address", "key", "last_error", "long_url_hash", "path_info", "phone_hash",
    "provider_bulk_id", "provider_message_id", "provider_status", "reason", "restricted_reason",
    "seller", "sender", "session_hash", "short_code", "target_url", "text", "to", "tracking_id",
    "user_agent", "username", "value", "version", "waiting_for", "wording",
}  # fmt: skip


@pytest.mark.slow
def test_every_stored_code_is_written_in_words(admin_client, filled):
    """A new field of text has choices, or `words` in its admin, or stands among the verbatim."""
    raw = set()
    for model, model_admin in admin.site._registry.items():
        if not model._meta.managed:
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        request = admin_client.get(reverse(f"{name}_changelist"), follow=True).wsgi_request
        columns = {str(one) for one in model_admin.get_list_display(request)}
        row = model_admin.get_queryset(request).first()
        page = row and admin_client.get(reverse(f"{name}_change", args=[row.pk])).context
        if page and "adminform" not in page:  # a page of its own
            raw |= _codes(model_admin, columns)
            continue
        for form in (model_admin, *model_admin.get_inline_instances(request, row)):
            shown = {str(one) for one in flatten_fieldsets(form.get_fieldsets(request, row))}
            may_type = form.has_change_permission(request, row)
            fixed = {str(one) for one in form.get_readonly_fields(request, row)}
            typed = shown - fixed if may_type else set()
            raw |= _codes(form, (shown | columns if form is model_admin else shown) - typed)
    assert not raw


def _codes(form, names):
    """The fields among these names that show what is stored, which is a code or JSON."""
    return {
        f"{form.model.__name__}.{field.name}"
        for field in form.model._meta.concrete_fields
        if field.name in names
        and (
            isinstance(field, JSONField)
            or (
                isinstance(field, CharField | TextField)
                and not field.choices
                and field.name not in VERBATIM
            )
            or field.name in getattr(form, "words", {})
        )
    }


def test_a_message_says_why_it_failed_and_a_contact_where_consent_came_from(admin_client, filled):
    failed = CampaignMessage.objects.get(error_code="undelivered")
    page = admin_client.get(reverse("admin:campaigns_campaignmessage_change", args=[failed.pk]))
    assert "the carrier did not deliver it" in page.text
    contact = Contact.objects.filter(sms_consent_status="opted_out").first()
    Contact.objects.filter(pk=contact.pk).update(
        sms_consent_source="inbound_stop", consent_evidence={"asked_by": "till 4"}
    )
    page = admin_client.get(reverse("admin:contacts_contact_change", args=[contact.pk])).text
    assert "Opted Out" in page and "inbound stop" in page and "asked by: till 4" in page
    assert "opted_out" not in page and "inbound_stop" not in page


def test_an_address_that_does_not_exist_is_answered_in_the_sites_style(client, admin_client):
    answer = admin_client.get("/admin/nothing/here/")
    assert answer.status_code == 404 and "There is no such page" in answer.text
    assert "Campaigns" in answer.text  # the sidebar
    client.logout()
    outside = client.get("/nothing/here/")
    assert outside.status_code == 404 and "error.css" in outside.text


def test_a_refusal_is_answered_in_the_sites_style(client):
    call_command("create_operator", "me@example.com", role="viewer", password=PASSWORD)
    client.force_login(User.objects.get(email="me@example.com"))
    answer = client.get("/admin/run/watchdog/")
    assert answer.status_code == 403 and "Your account may not open this page" in answer.text
    assert "Campaigns" in answer.text  # the sidebar
