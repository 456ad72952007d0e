"""Every list in the admin opens, in a number of queries that does not grow with its rows."""

import os
import re
import subprocess
import sys
import time

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from astronote.common import admin_paging
from astronote.models import User
from astronote.operations import registry
from astronote.operations.sidebar import build_all_sidebar_sections
from campaigns import enqueue
from campaigns.models import CampaignMessage
from contacts.consent import change_consent
from contacts.models import Contact
from messaging import receipts, sending
from messaging.models import Batch
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.receipts import store_receipts

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.slow
@pytest.mark.usefixtures("pages_write_no_use_of_the_session")
def test_every_list_opens(admin_client, django_assert_max_num_queries):
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 30)).pk)
    assert Batch.objects.exists()
    for model in admin.site._registry:
        if model._meta.app_label == "django_rq":
            continue
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        with django_assert_max_num_queries(10, info=url):
            assert admin_client.get(url).status_code == 200, url


def test_a_new_row_is_of_the_store_that_the_lists_show_or_of_the_only_one(admin_client):
    def preset_store():
        return admin_client.get("/admin/contacts/list/add/").context["adminform"].form.initial

    alice = make_store("alice")
    assert preset_store()["owner"] == alice.pk
    bob = make_store("bob")
    assert "owner" not in preset_store()
    admin_client.get("/admin/contacts/list/", {"owner__id__exact": bob.pk})
    assert preset_store()["owner"] == bob.pk


def test_the_queue_dashboard_is_for_those_who_may_see_it(admin_client, client):
    url = "/admin/django_rq/dashboard/"
    assert admin_client.get(url).status_code == 200
    client.force_login(User.objects.create_user("staff@example.com", is_staff=True))
    assert client.get("/admin/").status_code == 200
    assert client.get(url).status_code == 403


@pytest.mark.slow
def test_the_queue_dashboard_says_so_when_redis_is_down(tmp_path):
    """In a process of its own, since its Redis is one that does not answer."""
    script = """
import django; django.setup()
from django.test import Client
from astronote.models import User
client = Client()
client.force_login(User.objects.get(email="root@example.com"))
answer = client.get("/admin/django_rq/dashboard/", secure=True, HTTP_HOST="localhost")
print(answer.status_code, answer.content.decode()[:26])
"""
    User.objects.create_superuser("root@example.com", "a-long-password")
    database = connection.settings_dict["NAME"]
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=os.environ
        | {
            "REDIS_URL": f"unix://{tmp_path}/none.sock?db=0",
            "DATABASE_URL": os.environ["DATABASE_URL"].replace("/app?", f"/{database}?"),
            "DJANGO_SETTINGS_MODULE": "astronote.settings",
        },
    )
    assert done.stdout.strip() == "503 Redis cannot be reached, s", done.stderr


def test_the_migrations_are_those_of_the_models():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_messages_are_found_by_number_by_id_and_by_campaign(admin_client, sandbox):
    campaigns = []
    for name in ("anna", "bella"):
        store = make_store(name)
        campaigns.append(enqueue.enqueue_campaign(make_campaign(store, make_list(store, 3)).pk))
    while sending.process_next_batch() != "none due":
        pass
    message = CampaignMessage.objects.filter(campaign=campaigns[1]).first()
    found = {
        "": 6, "q=%2B306900000001": 2, "q=%2B306900000009": 0, "q=nobody": 0,
        f"q={message.provider_message_id}": 1, f"campaign__id__exact={campaigns[0].pk}": 3,
    }  # fmt: skip
    for query, count in found.items():
        answer = admin_client.get(f"/admin/campaigns/campaignmessage/?{query}")
        assert answer.context["cl"].result_count == count, query


def test_messages_are_found_by_what_went_wrong(admin_client, sandbox):
    store = make_store()
    target = make_list(store, 4)
    started = enqueue.enqueue_campaign(make_campaign(store, target).pk)
    change_consent(Contact.objects.first().pk, "unsubscribed", source="test")
    sending.process_next_batch()
    sent = CampaignMessage.objects.filter(status="sent").first()
    store_receipts([{"messageId": sent.provider_message_id, "deliveryStatus": "Undelivered"}])
    receipts.apply_received_receipts()
    for trouble, count in {"failed": 1, "skipped": 1, "unknown": 0}.items():
        query = f"campaign__id__exact={started.pk}&trouble={trouble}"
        answer = admin_client.get(f"/admin/campaigns/campaignmessage/?{query}")
        assert answer.context["cl"].result_count == count, trouble


def test_a_contact_is_found_by_its_number_however_it_is_written(admin_client):
    make_list(make_store(), 3)
    for term, count in {"+306900000001": 1, "690 000 0001": 1, "6900000009": 0, "x": 0}.items():
        answer = admin_client.get("/admin/contacts/contact/", {"q": term})
        assert answer.context["cl"].result_count == count, term


def test_a_contact_is_made_and_a_mistake_is_explained(admin_client):
    store = make_store(phone_region="GR")
    url = "/admin/contacts/contact/add/"
    refused = admin_client.post(url, {"owner": store.pk, "phone": "12", "first_name": "Nina"})
    assert (refused.status_code, Contact.objects.count()) == (200, 0)
    assert "not a valid phone number" in refused.text
    for phone in ("690 000 0007", "+306900000007"):
        admin_client.post(url, {"owner": store.pk, "phone": phone, "first_name": "Nina"})
    contact = Contact.objects.get()
    assert (contact.phone, contact.is_subscribed) == ("+306900000007", False)
    Contact.objects.update(is_subscribed=True)
    change_consent(contact.pk, "unsubscribed", source="test")
    page = admin_client.get(f"/admin/contacts/contact/{contact.pk}/change/")
    assert "Unsubscribed" in page.text


def test_a_long_list_is_not_counted_to_its_end(admin_client, monkeypatch):
    monkeypatch.setattr(admin_paging, "MAX_COUNTED", 60)
    make_list(make_store(), 100)
    first = admin_client.get("/admin/contacts/contact/")
    assert first.context["cl"].result_count == 60
    assert "more than 59 contacts" in first.text


def test_a_long_list_is_paged_to_its_end_and_back(admin_client):
    make_list(make_store(), 120)
    pages, address = [], "?"
    while True:
        cl = admin_client.get(f"/admin/contacts/contact/{address}").context["cl"]
        pages.append([row.pk for row in cl.result_list])
        if not cl.has_older:
            break
        address = cl.older_link
    assert [len(page) for page in pages] == [50, 50, 20]
    keys = [key for page in pages for key in page]
    assert keys == sorted(keys, reverse=True)
    back = admin_client.get(f"/admin/contacts/contact/{cl.newer_link}").context["cl"]
    assert [row.pk for row in back.result_list] == pages[1]


def test_a_list_shows_one_store_until_another_is_chosen(admin_client):
    anna, bella = make_store("anna", company="Anna's"), make_store("bella", company="Bella's")
    make_list(anna, 2)
    make_list(bella, 3)
    url = "/admin/contacts/contact/"
    chosen = admin_client.get(url, {"store": "bell"}, follow=True)
    assert chosen.context["cl"].result_count == 3
    # Also on another list, and when this one is opened again.
    lists = admin_client.get("/admin/contacts/list/", follow=True)
    assert [row.owner for row in lists.context["cl"].result_list] == [bella]
    assert "Bella&#x27;s" in lists.text
    assert admin_client.get(url, follow=True).context["cl"].result_count == 3
    nobody = admin_client.get(url, {"store": "nobody"}, follow=True)
    assert "No store begins with “nobody”" in nobody.text
    assert admin_client.get(url, {"store": ""}, follow=True).context["cl"].result_count == 5


def test_the_login_page_leads_to_the_home_page(client):
    User.objects.create_superuser("root@example.com", "a-long-password-of-mine")
    answer = client.post(
        "/admin/login/",
        {"username": "root@example.com", "password": "a-long-password-of-mine"},
        follow=True,
    )
    assert answer.redirect_chain[-1][0] == "/admin/" and answer.status_code == 200
    assert "Return to site" not in client.get("/admin/login/").text


def test_everything_is_searched_from_every_page(admin_client, client):
    store = make_store(company="Anna's", phone_region="GR")
    contact = Contact.objects.create(
        owner=store, phone="+306912345701", first_name="Γιώργος", last_name="Φούρναρης"
    )
    campaign = make_campaign(store, None, name="Spring sale")

    def found(text):
        return admin_client.get("/admin/search/", {"s": text, "extended": 1}).text

    page = f"/admin/contacts/contact/{contact.pk}/change/"
    assert page in found("φουρν") and page in found("691 234 5701")
    assert "q=%2B306912345701" in found("691 234 5701")
    assert f"/admin/campaigns/campaign/{campaign.pk}/change/" in found("sale")
    assert f"/admin/astronote/user/{store.pk}/change/" in found("anna")
    client.force_login(User.objects.create_user("none@example.com", is_staff=True))
    assert "No results" in client.get("/admin/search/", {"s": "φουρν", "extended": 1}).text


def test_a_search_shows_a_few_stores(admin_client):
    for number in range(7):
        make_store(f"alice{number}", company=f"Alice's {number}")
    page = admin_client.get("/admin/search/", {"s": "alice", "extended": 1}).text
    assert len(set(re.findall(r"/admin/astronote/user/\d+/change/", page))) == 5


def test_every_page_says_that_nothing_is_at_work(admin_client):
    page = admin_client.get("/admin/contacts/contact/").text
    assert "No scheduler is running" in page and "No workers are running" in page


def test_the_sidebar_marks_the_page_that_is_open_and_no_other(admin_client):
    def marked(page):
        sections = admin_client.get(page).context["sidebar_navigation"]
        return [str(item["title"]) for one in sections for item in one["items"] if item["active"]]

    assert marked("/admin/") == ["Home"]
    assert marked("/admin/messaging/directmessage/") == ["Tests and requests"]
    assert marked("/admin/messaging/directmessage/log/") == ["Message log"]


def test_the_sidebar_costs_little_more_than_its_addresses(admin_client, admin_user, rf):
    """It is built for each page: to look at each pair of its links would be most of the work."""
    request = rf.get("/admin/contacts/contact/")
    request.user = admin_user

    def seconds(work):
        def once():
            started = time.process_time()
            work()
            return time.process_time() - started

        return min(once() for _ in range(5))

    links = [link.url for link in registry.sidebar_links if not link.url.startswith("/")]
    addresses = seconds(lambda: [reverse(link) for link in links for _ in range(10)])
    assert seconds(lambda: build_all_sidebar_sections(request)) < addresses


def test_a_list_has_one_count(admin_client):
    make_list(make_store(), 3)
    page = admin_client.get("/admin/contacts/contact/").text
    assert "3 contacts" in page and "3 results" not in page


def test_an_empty_list_says_what_belongs_there_and_offers_it(admin_client):
    empty = admin_client.get("/admin/campaigns/campaign/").text
    assert "No campaigns yet" in empty and "one text to many customers" in empty
    assert '/admin/campaigns/campaign/add/">Add campaign' in empty
    assert "Nothing fits" in admin_client.get("/admin/campaigns/campaign/", {"q": "x"}).text
