"""Every page of the admin, found through the registry and the links on the pages themselves."""

import re
from collections import deque
from urllib.parse import urlsplit

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from astronote.models import User
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
