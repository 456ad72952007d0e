"""Who gets in, who may do what, and what the pages allow."""

import io
from collections import Counter

import pytest
from django.core.management import CommandError, call_command
from django.urls import URLPattern, URLResolver, get_resolver

from astronote import login, roles
from astronote.models import User
from campaigns.models import Campaign
from contacts.models import AuditEntry, Contact, ContactImport
from messaging.models import WebhookEvent
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"
# What is there for everybody: health (inside the network), customers' pages, providers' calls.
OPEN = {"", "favicon.ico", "healthz", "readyz", "metrics", "s/x", "u/x", "webhooks/mitto/delivery",
        "webhooks/mitto/delivery/x", "webhooks/mitto/inbound", "webhooks/mitto/inbound/x",
        "admin/login/", "admin/logout/", "admin/jsi18n/"}  # fmt: skip


def operator(role):
    call_command("create_operator", f"{role}@example.com", role=role, password=PASSWORD)
    return User.objects.get(email=f"{role}@example.com")


def addresses(resolver=None, prefix=""):
    """Every address of the site, with something in place of its parameters."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = getattr(entry.pattern, "_route", None)
        if route is None:  # the admin's catch-all, by regular expression
            continue
        for name, converter in entry.pattern.converters.items():
            number = type(converter).__name__ == "IntConverter"
            value = "1" if number or name in ("queue_index", "content_type_id") else "x"
            route = route.replace(f"<{name}>", value)
            for kind in ("int", "str", "path", "slug"):
                route = route.replace(f"<{kind}:{name}>", value)
        if isinstance(entry, URLResolver):
            yield from addresses(entry, prefix + route)
        elif isinstance(entry, URLPattern):
            yield prefix + route


@pytest.fixture
def store():
    owner = make_store()
    make_campaign(owner, make_list(owner, 2))
    return owner


def outcome(answer):
    """In a word, what a visitor got."""
    if answer.status_code == 302 and "/login/" in answer["Location"]:
        return "asked to log in"
    words = {200: "a page", 302: "sent on", 400: "wrong request", 403: "refused",
             404: "nothing there", 405: "wrong method"}  # fmt: skip
    return words.get(answer.status_code, "broken")


SHUT = {"asked to log in", "refused", "nothing there", "wrong method"}


@pytest.mark.parametrize("who", ["nobody", "another store", "viewer"])
def test_every_address_is_tried_by_who_may_not(who, store, client):
    """With -s it prints a line of the table of who gets what."""
    if who == "another store":
        client.force_login(make_store("bella"))
    elif who == "viewer":
        client.force_login(operator("viewer"))
        User.objects.update(last_login=None)
    tried = sorted(set(addresses()) - OPEN)
    assert len(tried) > 100
    before = everything()
    got = {method: Counter() for method in ("get", "post")}
    for address in tried:
        for method, counts in got.items():
            word = outcome(getattr(client, method)(f"/{address}"))
            assert word != "broken", address
            assert who == "viewer" or word in SHUT, (address, word)
            counts[word] += 1
    print(f"\n{who}, {len(tried)} addresses: {got}")
    assert everything() == before


def everything():
    models = (Campaign, Contact, ContactImport, WebhookEvent, User)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_a_viewer_sees_and_changes_nothing(store, client):
    client.force_login(operator("viewer"))
    for page in ("campaigns/campaign", "contacts/contact", "messaging/wallet", "astronote/user"):
        assert client.get(f"/admin/{page}/").status_code == 200
    User.objects.update(last_login=None)
    before = everything()
    campaign, contact = Campaign.objects.get().pk, Contact.objects.first().pk
    for app, model in (("campaigns", "campaign"), ("contacts", "contact"), ("astronote", "user")):
        base = f"/admin/{app}/{model}"
        assert client.post(f"{base}/add/", {"name": "x"}).status_code == 403
        assert client.post(f"{base}/1/change/", {"name": "x"}).status_code in (302, 403)
        assert client.post(f"{base}/1/delete/", {"post": "yes"}).status_code in (302, 403)
    actions = {
        "campaigns/campaign": ["start", "pause", "cancel", "duplicate", "delete_selected"],
        "contacts/contact": ["object_for_person", "erase_person", "delete_selected"],
    }
    for page, names in actions.items():
        pk = campaign if page.startswith("campaigns") else contact
        for name in names:
            client.post(f"/admin/{page}/", {"action": name, "_selected_action": [pk],
                                            "confirmed": "1", "post": "yes"})  # fmt: skip
    assert client.get("/admin/django_rq/dashboard/").status_code == 403
    assert everything() == before


def test_an_operator_works_and_does_not_erase_or_promote(store, client):
    account = operator("operator")
    client.force_login(account)
    campaign = Campaign.objects.get()
    chosen = {"action": "start", "_selected_action": [campaign.pk]}
    asked = client.post("/admin/campaigns/campaign/", chosen)
    assert "About so many credits" in asked.text
    campaign.refresh_from_db()
    assert campaign.status == "draft"
    client.post("/admin/campaigns/campaign/", chosen | {"confirmed": "1"})
    campaign.refresh_from_db()
    assert campaign.status == "sending"
    assert AuditEntry.objects.filter(actor=account, action="start").count() == 1
    contact = Contact.objects.first()
    client.post("/admin/contacts/contact/", {"action": "erase_person", "confirmed": "1",
                                             "_selected_action": [contact.pk]})  # fmt: skip
    assert Contact.objects.filter(pk=contact.pk).exists()
    address = f"/admin/astronote/user/{store.pk}/change/"
    initial = client.get(address).context["adminform"].form.initial
    form = {name: value for name, value in initial.items() if value not in (None, False, [])}
    form |= {"company": "Anna's", "is_staff": "on", "is_superuser": "on", "is_active": "on"}
    assert client.post(address, form).status_code == 302
    store.refresh_from_db()
    assert store.company == "Anna's"
    assert not (store.is_staff or store.is_superuser)
    answer = client.post(f"/admin/astronote/user/{account.pk}/change/", form)
    assert answer.status_code == 403


def test_an_administrator_erases_and_sees_the_queues(store, client):
    client.force_login(operator("administrator"))
    contact = Contact.objects.first()
    client.post("/admin/contacts/contact/", {"action": "erase_person", "confirmed": "1",
                                             "_selected_action": [contact.pk]})  # fmt: skip
    assert not Contact.objects.filter(pk=contact.pk).exists()
    assert client.get("/admin/django_rq/dashboard/").status_code == 200


def test_a_weak_password_is_refused():
    with pytest.raises(CommandError, match="too short"):
        call_command(
            "create_operator", "a@example.com", role="viewer", password="1", stdout=io.StringIO()
        )


def test_guessing_a_password_is_stopped(client):
    operator("viewer")
    form = {"username": "viewer@example.com", "password": "wrong"}
    for _ in range(login.MOST_FAILURES):
        assert "Please enter the correct" in client.post("/admin/login/", form).text
    form["password"] = PASSWORD
    assert "Too many failed logins" in client.post("/admin/login/", form).text
    other = {"username": "other@example.com", "password": "wrong"}
    assert "Too many" in client.post("/admin/login/", other).text, "from one address"
    elsewhere = client.post("/admin/login/", other, REMOTE_ADDR="192.0.2.9")
    assert "Too many" not in elsewhere.text


def test_a_role_has_what_it_says_and_no_more():
    group = roles.group_of("viewer")
    assert all(p.codename.startswith("view_") for p in group.permissions.all())
    names = set(roles.group_of("operator").permissions.values_list("codename", flat=True))
    assert {"change_campaign", "add_contactimport"} <= names
    assert not any(name.startswith("delete_") for name in names)
    assert "change_wallet" not in names


def test_pages_allow_nothing_from_elsewhere(client):
    answer = client.get("/admin/login/")
    policy = answer["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
