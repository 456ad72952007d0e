"""Who gets in, who may do what, and what the pages allow."""

import io
import re
from collections import Counter

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from astronote.accounts import roles
from astronote.common import sql
from astronote.models import AuditEntry, Session, User
from campaigns import enqueue
from campaigns.models import (
    Automation,
    AutomationMessage,
    AutomationRule,
    AutomationSend,
    Campaign,
    CampaignMessage,
    ExportRun,
    NfcScan,
    NfcTag,
    Redemption,
    SignupPage,
)
from contacts.models import Contact, CustomerEvent, CustomField
from messaging import replies, sending
from messaging.models import MessageTemplate, SavedAnswer
from tests.support.admin_pages import fill_installation, fill_money
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"
# What is there for everybody: health (inside the network), customers' pages, providers' calls.
OPEN = {
    "",
    "favicon.ico",
    "healthz",
    "readyz",
    "metrics",
    "s/x",
    "u/x",
    "webhooks/mitto/delivery",
    "webhooks/mitto/delivery/x",
    "webhooks/mitto/inbound",
    "webhooks/mitto/inbound/x",
    "admin/login/",
    "admin/logout/",
    "admin/jsi18n/",
    "admin/account/alerts/",  # switches mails to the own account
    "admin/security-keys/texts.js",  # what the scripts of a security key say
    "admin/set-password/x/x/",
}
# What an account that is let into the admin has without any role: an empty page and itself.
HARMLESS = {
    "admin",
    "admin/search",
    "admin/password_change",
    "admin/password_change/done",
    "admin/account",
    "admin/account/second-factor",
}


def operator(role):
    call_command("create_operator", f"{role}@example.com", role=role, password=PASSWORD)
    return User.objects.get(email=f"{role}@example.com")


def route_of_pattern(pattern):
    """As `path` writes it, also of a regular expression, whose groups are `<text>` or a choice."""
    if hasattr(pattern, "_route"):
        return pattern._route

    def parameter(group):
        return group[1].split("|")[0] if "|" in group[1] else "<text>"

    route = re.sub(r"\(\?P<\w+>([^)]*)\)\??", parameter, pattern.regex.pattern)
    return route.strip("^$").replace("/?", "/")


def addresses(resolver=None, prefix=""):
    """Every address of the site, with something in place of its parameters."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = route_of_pattern(entry.pattern)
        for name, converter in entry.pattern.converters.items():
            number = type(converter).__name__ == "IntConverter"
            value = "1" if number or name in ("queue_index", "content_type_id") else "x"
            route = route.replace(f"<{name}>", value)
            for kind in ("int", "str", "path", "slug"):
                route = route.replace(f"<{kind}:{name}>", value)
        route = route.replace("<text>", "x")
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
    if answer.request["PATH_INFO"] == "/admin/login/":
        return "asked to log in"
    words = {
        200: "a page",
        400: "wrong request",
        403: "refused",
        404: "nothing there",
        405: "wrong method",
    }
    return words.get(answer.status_code, "broken")


SHUT = {"asked to log in", "refused", "nothing there", "wrong method"}


def visitor(who, client):
    """Logs the client in as one of those who may change nothing."""
    if who.startswith("another store"):
        let_in = who.endswith("as staff")
        client.force_login(make_store("bella", is_staff=let_in))
    elif who == "viewer":
        client.force_login(operator("viewer"))
        User.objects.update(last_login=None)


def actions():
    """Every action of every list of the admin, as one who may everything has them."""
    request = RequestFactory().get("/")
    request.user = User.objects.create_superuser("root@example.com")
    for model, model_admin in admin.site._registry.items():
        if model._meta.managed:
            page = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            for name in model_admin.get_actions(request):
                yield page, model, name


def rows_of_every_kind(store, sandbox):
    """On each of which an action would do something."""
    sandbox.behave(fault="drop_after")
    sent = enqueue.enqueue_campaign(Campaign.objects.get().pk)
    sending.process_next_batch()
    message = CampaignMessage.objects.filter(campaign=sent).first()
    assert message.status == "unknown"
    automation = Automation.objects.create(owner=store, type="welcome_message", message_body="Hi")
    AutomationMessage.objects.create(
        owner=store,
        automation=automation,
        batch=message.batch,
        contact=message.contact,
        to=message.to,
        text="Hi",
        segments=1,
        tracking_id="tracking",
        status="unknown",
    )
    rule = AutomationRule.objects.create(
        owner=store, name="Birthday", message_body="Hi", trigger_type="birthday"
    )
    AutomationSend.objects.create(
        owner=store,
        rule=rule,
        batch=message.batch,
        contact=message.contact,
        to=message.to,
        text="Hi",
        segments=1,
        tracking_id="of a rule",
        status="unknown",
        scheduled_for=timezone.now(),
    )
    CustomerEvent.objects.create(
        owner=store, contact=message.contact, event_type="visit", start_at=timezone.now()
    )
    target = make_campaign(store, Campaign.objects.get().list, status="draft").list
    for status in ("sending", "paused", "scheduled"):
        make_campaign(store, target, status=status, scheduled_at=timezone.now())
    MessageTemplate.objects.create(owner=store, name="spring", text="Hello")
    SavedAnswer.objects.create(owner=store, name="hours", text="At nine.")
    replies.store_replies([{"from": message.to, "text": "wrong number"}])
    replies.apply_received_replies()
    NfcTag.objects.create(owner=store, public_id="tag", label="door")
    CustomField.objects.create(owner=store, key="city", label="City")
    SignupPage.objects.create(owner=store)
    ExportRun.objects.create(owner=store, content="ledger")
    Redemption.objects.create(owner=store, message=message)
    fill_money(store)
    Group.objects.get_or_create(name="viewer")


EVERYBODY = ["nobody", "another store", "another store, as staff", "viewer"]


@pytest.mark.slow
@pytest.mark.parametrize("who", EVERYBODY)
def test_every_address_is_tried_by_who_may_not(who, store, client):
    """With -s it prints what each of them got."""
    visitor(who, client)
    tried = sorted(set(addresses()) - OPEN)
    assert len(tried) > 100
    before, known = everything(), actions_in_the_trail()
    got = {method: Counter() for method in ("get", "post")}
    pages = []
    for address in tried:
        for method, counts in got.items():
            answer = getattr(client, method)(f"/{address}", follow=True)
            word, reached = outcome(answer), answer.request["PATH_INFO"].strip("/")
            assert word != "broken", address
            assert who == "viewer" or word in SHUT or reached in HARMLESS, (address, word)
            counts[word] += 1
            if word == "a page" and method == "get":
                pages.append(reached)
    for method, counts in got.items():
        print(f"\n{who}: {method} {len(tried)} addresses: {dict(counts)}", end="")
    after = everything()
    if who == "nobody":
        assert not Session.objects.exists(), "strangers could fill the table"
    # A viewer may download, and each download is in the audit trail.
    written = actions_in_the_trail()[len(known) :]
    exports = [action for action in written if action != "sessions ended"]  # its own
    assert all(action.endswith(" exported") for action in exports)
    assert bool(exports) == (who == "viewer")
    del after[AuditEntry._meta.db_table], before[AuditEntry._meta.db_table]
    assert after == before
    if who == "viewer":
        assert not [page for page in pages if page.startswith("admin/django_rq")]


def addresses_of_rows():
    """Every address with one parameter, with a row that exists in its place."""
    rows = {}
    for model in admin.site._registry:
        if model._meta.managed and (row := model._default_manager.order_by("-pk").first()):
            rows[f"admin/{model._meta.app_label}/{model._meta.model_name}"] = row.pk
    tag = NfcTag.objects.get().public_id
    store = User.objects.filter(is_staff=False).first()
    for address in set(addresses()) - OPEN:
        folder = "/".join(address.split("/")[:3])
        if folder in rows:
            for value in ("1", "x"):
                yield re.sub(rf"(?<=/){value}(?=/|$)", str(rows[folder]), address, count=1)
        yield re.sub(r"(?<=^j/)x", tag, address)
        yield re.sub(r"(?<=/)[1x](?=/|$)", str(store.pk), address, count=1)


@pytest.mark.slow
@pytest.mark.parametrize("who", [*EVERYBODY, "superuser"])
def test_every_address_of_a_row_is_tried_by_who_may_not(who, client, sandbox):
    """Nothing is refused for being no row. With -s it prints what each of them got."""
    fill_installation()
    visitor(who, client)
    if who == "superuser":
        client.force_login(User.objects.create_superuser("root@example.com"))
    known = set(addresses())
    tried = sorted(set(addresses_of_rows()) - known)
    assert len(tried) > 150
    before = everything()
    got = {method: Counter() for method in ("get", "post")}
    for address in tried:
        for method, counts in got.items():
            if who == "superuser" and method == "post":
                continue
            answer = getattr(client, method)(f"/{address}", follow=True)
            word, reached = outcome(answer), answer.request["PATH_INFO"].strip("/")
            assert word != "broken", address
            is_open = address.startswith("j/") or who in ("viewer", "superuser")
            assert is_open or word in SHUT or reached in HARMLESS, (address, word)
            counts[word] += 1
    print(f"\n{who}: {len(tried)} addresses of rows: {got}", end="")
    if who == "superuser":
        assert got["get"]["a page"] > 150, "the rows are there"
    else:
        after = everything()
        for model in (AuditEntry, NfcScan):  # a viewer may download; a tag is for everybody
            del after[model._meta.db_table], before[model._meta.db_table]
        assert after == before


@pytest.mark.slow
@pytest.mark.parametrize("who", EVERYBODY)
def test_every_action_is_tried_by_who_may_not(who, store, client, sandbox):
    """On a row of each kind, confirmed; with -s it prints what each of them got."""
    rows_of_every_kind(store, sandbox)
    every = list(actions())
    names = {name for *_, name in every}
    assert {
        "start",
        "resume",
        "unschedule",
        "mark_delivered",
        "resend",
        "erase_or_restrict_person",
        "export_person",
        "delete_selected",
    } <= names
    visitor(who, client)
    before = everything()
    got = Counter()
    for page, model, name in every:
        chosen = list(model.objects.values_list("pk", flat=True))
        assert chosen, model
        form = {"action": name, "_selected_action": chosen, "confirmed": "1", "post": "yes"}
        got[outcome(client.post(page, form, follow=True))] += 1
        assert everything() == before, (page, name)
    print(f"\n{who}: {len(every)} actions: {dict(got)}", end="")


# Money, accounts, logins, queues, and what cannot be brought back.
ADMINISTRATORS_ONLY = re.compile(
    r"admin/(astronote/operator/add/|axes/|django_rq/|top-up/|store/\w+/(off-board|take-back|export)/"
    r"|(?!axes|django_rq)\w+/(automation|campaign|nfctag|segment|contact|list|messagetemplate|savedanswer)/x/delete/)"
)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["operator", "service_operator", "administrator"])
def test_what_administrators_alone_may_is_refused_to_operators(role, store, client):
    client.force_login(operator(role))
    User.objects.update(last_login=None)
    before = everything()
    tried = [each for each in sorted(set(addresses())) if ADMINISTRATORS_ONLY.match(each)]
    assert len(tried) > 40
    reached = 0
    for address in tried:
        got = {
            outcome(client.get(f"/{address}", follow=True)),
            outcome(client.post(f"/{address}", {"post": "yes"}, follow=True)),
        }
        if role == "administrator":
            assert "broken" not in got, address
            reached += got != {"refused"}
        else:
            assert got <= {"refused", "wrong method", "a page"}, (address, got)
            assert "refused" in got or "history" in address, (address, got)
    if role == "administrator":
        assert reached > 40
    else:
        assert everything() == before


def everything():
    """By table, every row of ours as text; not sessions, logins and what is counted of failed ones.

    One statement: a walk asks after each request.
    """
    tables = {
        model._meta.db_table: model._meta.pk.column
        for model in apps.get_models()
        if model._meta.app_label in settings.PROJECT_APPS and model is not Session
    }
    return dict(
        sql.rows(
            " UNION ALL ".join(
                f'SELECT \'{table}\', array_agg(x::text ORDER BY x."{key}") FROM "{table}" x'
                for table, key in tables.items()
            )
        )
    )


def actions_in_the_trail():
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


def test_a_viewer_sees_and_changes_nothing(store, client):
    client.force_login(operator("viewer"))
    for page in ("campaigns/campaign", "contacts/contact", "messaging/wallet", "astronote/user"):
        assert client.get(f"/admin/{page}/").status_code == 200
    User.objects.update(last_login=None)
    before = everything()
    for app, model in (("campaigns", "campaign"), ("contacts", "contact"), ("astronote", "user")):
        base = f"/admin/{app}/{model}"
        assert client.post(f"{base}/add/", {"name": "x"}).status_code == 403
        assert client.post(f"{base}/1/change/", {"name": "x"}).status_code in (302, 403)
        assert client.post(f"{base}/1/delete/", {"post": "yes"}).status_code in (302, 403)
    assert everything() == before


def test_an_operator_works_and_does_not_erase_or_promote(store, client):
    account = operator("operator")
    client.force_login(account)
    campaign = Campaign.objects.get()
    chosen = {"action": "start", "_selected_action": [campaign.pk]}
    asked = client.post("/admin/campaigns/campaign/", chosen)
    assert "Credits, about" in asked.text
    campaign.refresh_from_db()
    assert campaign.status == "draft"
    client.post("/admin/campaigns/campaign/", chosen | {"confirmed": "1"})
    campaign.refresh_from_db()
    assert campaign.status == "sending"
    assert AuditEntry.objects.filter(actor=account, action="start").count() == 1
    contact = Contact.objects.first()
    client.post(
        "/admin/contacts/contact/",
        {
            "action": "erase_or_restrict_person",
            "confirmed": "1",
            "_selected_action": [contact.pk],
        },
    )
    assert Contact.objects.filter(pk=contact.pk).exists()
    address = f"/admin/astronote/user/{store.pk}/change/"
    initial = client.get(address).context["adminform"].form.initial
    form = {name: value for name, value in initial.items() if value not in (None, False, [])}
    form |= {"company": "Anna's", "is_staff": "on", "is_superuser": "on", "is_active": "on"}
    assert client.post(address, form).status_code == 302
    store.refresh_from_db()
    assert store.company == "Anna's"
    assert not (store.is_staff or store.is_superuser)
    answer = client.post(f"/admin/astronote/operator/{account.pk}/change/", form)
    assert answer.status_code == 403
    assert client.get(f"/admin/astronote/user/{account.pk}/change/").status_code == 302


def test_an_administrator_erases_and_sees_the_queues(store, client):
    client.force_login(operator("administrator"))
    contact = Contact.objects.first()
    client.post(
        "/admin/contacts/contact/",
        {
            "action": "erase_or_restrict_person",
            "confirmed": "1",
            "_selected_action": [contact.pk],
        },
    )
    assert not Contact.objects.filter(pk=contact.pk).exists()
    assert client.get("/admin/django_rq/dashboard/").status_code == 200


def test_a_weak_password_is_refused():
    with pytest.raises(CommandError, match="too short"):
        call_command(
            "create_operator", "a@example.com", role="viewer", password="1", stdout=io.StringIO()
        )


@pytest.mark.slow
def test_guessing_a_password_is_stopped(client):
    operator("viewer")
    form = {"username": "viewer@example.com", "password": "wrong"}
    for _ in range(9):
        assert "Please enter the correct" in client.post("/admin/login/", form).text
    client.post("/admin/login/", form)
    form["password"] = PASSWORD
    assert "Too many failed logins" in client.post("/admin/login/", form).text
    other = {"username": "other@example.com", "password": "wrong"}
    assert "Too many" not in client.post("/admin/login/", other).text, "another account"
    assert client.post("/admin/login/", form, REMOTE_ADDR="192.0.2.9").status_code == 302


def test_a_role_has_what_it_says_and_no_more():
    group = roles.create_or_update_role_group("viewer")
    assert all(p.codename.startswith("view_") for p in group.permissions.all())
    names = set(
        roles.create_or_update_role_group("operator").permissions.values_list("codename", flat=True)
    )
    assert {"change_campaign", "add_contactimport"} <= names
    assert not any(name.startswith("delete_") for name in names)
    assert "change_wallet" not in names


def test_pages_allow_nothing_from_elsewhere(client):
    assert "default-src 'none';" in client.get("/u/x")["Content-Security-Policy"]
    answer = client.get("/admin/login/")
    policy = answer["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-eval';" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
