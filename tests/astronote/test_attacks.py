"""What a tester tries: posts from another site, and texts that are scripts."""

import csv
import io
import re
import subprocess

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, models, transaction
from django.test import Client
from django.urls import reverse

from astronote.environment import ROOT
from astronote.models import Session, User
from astronote.processes import supervisor
from campaigns import exports
from campaigns.models import Campaign, CampaignMessage, ExportContent, ExportRun
from messaging.links import signed_unsubscribe_url
from messaging.models import Tally, WebhookEvent
from messaging.statuses import TallyEvent
from tests.astronote.test_security import addresses, addresses_of_rows
from tests.support.admin_pages import every_page, fill_installation
from tests.support.factories import make_store

pytestmark = pytest.mark.django_db(transaction=True)
# Providers know no token, and a customer's address is itself the secret.
WITHOUT_TOKEN = re.compile(r"webhooks/|u/|healthz|readyz|metrics")


@pytest.mark.slow
def test_no_post_is_taken_from_the_page_of_another_site():
    """The token is checked before the login, which a visitor may have."""
    client = Client(enforce_csrf_checks=True)
    tried = [each for each in sorted(set(addresses())) if not WITHOUT_TOKEN.match(each)]
    assert len(tried) > 250
    taken = [each for each in tried if client.post(f"/{each}", {"x": "1"}).status_code < 400]
    assert taken == []


SCRIPT = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>"
FORMULA = "=HYPERLINK(1);+1\t@x"
# As an element, an address, or in an attribute that the theme's scripts evaluate.
DANGEROUS = re.compile(
    r"<script>alert|<img src=x"
    r"|\s(?:x-|@|:|hx-on|on)[\w:.-]*=\"[^\"]*alert\([123]\)",
    re.IGNORECASE,
)


# Without these nothing is found any more, or nobody logs in; a program alone writes the last ones.
FIXED = {"password", "tracking_id", "timezone", "phone_region", "phone", "to", "phone_hash",
         "key_id", "status", "type", "kind", "event_type", "event", "detail"}  # fmt: skip


def plant(text):
    """Put the text in every column that the database lets stand; return how many columns."""
    planted = 0
    for model in apps.get_models():
        is_ours = model._meta.app_label in settings.PROJECT_APPS and model._meta.managed
        if not is_ours or model is Session:
            continue
        for field in model._meta.concrete_fields:
            is_text = isinstance(field, models.CharField | models.TextField)
            if not is_text or field.choices or field.primary_key or field.name in FIXED:
                continue
            is_url = isinstance(field, models.URLField)
            value = f"https://shop.example/{text}" if is_url else text[: field.max_length]
            try:
                with transaction.atomic():
                    planted += bool(model._default_manager.update(**{field.name: value}))
            except DatabaseError:
                continue  # it is unique, or a constraint knows what may stand there
    return planted


@pytest.mark.slow
def test_no_text_of_a_customer_or_store_becomes_a_script_on_any_page(client, sandbox):
    store = fill_installation()
    ended = Campaign.objects.order_by("pk").first()
    message = CampaignMessage.objects.order_by("pk").first()
    url = signed_unsubscribe_url(message.tracking_id)
    client.force_login(User.objects.create_superuser("root@example.com"))
    pages = [
        *every_page(client),
        reverse("admin:campaigns_campaign_change", args=[ended.pk]),
        reverse("admin:campaigns_store_report", args=[store.pk]),
        reverse("admin:contacts_contact_change", args=[message.contact_id]),
        f"/admin/search/?s={SCRIPT}",
        f"/admin/contacts/contact/?q={SCRIPT}",
        f"/admin/login/?next={SCRIPT}",
        url[url.index("/u/") :],
    ]
    assert plant(SCRIPT) > 30
    Tally.objects.filter(event=TallyEvent.FAILED).update(detail=SCRIPT[:40])
    for event in WebhookEvent.objects.all():
        event.payload = {**(event.payload or {}), "text": SCRIPT}
        event.save()
    shown = 0
    for page in pages:
        answer = client.get(page)
        assert answer.status_code in (200, 302), page
        text = answer.content.decode()
        assert not DANGEROUS.search(text), (page, DANGEROUS.search(text).group())
        shown += "&lt;script&gt;" in text or "\\u003Cscript\\u003E" in text
    assert shown > 15, "the script stands on the pages, as a text"


@pytest.mark.slow
def test_no_cell_of_any_download_is_a_formula(client, sandbox):
    """For a spreadsheet that separates by comma, and for one that separates by semicolon."""
    store = fill_installation()
    client.force_login(User.objects.create_superuser("root@example.com"))
    assert plant(FORMULA) > 30
    for content in ExportContent:
        exports.write_export_unless_written(exports.request_export(store, content, by="test").pk)
    files = [
        reverse("admin:campaigns_exportrun_file", args=[r.pk]) for r in ExportRun.objects.all()
    ]
    for each in {*addresses(), *addresses_of_rows()}:
        files += [f"/{each}"] if "logout" not in each and "run/" not in each else []
    downloads, harmless = 0, 0
    for file in files:
        answer = client.get(file)
        if not answer.headers.get("Content-Type", "").startswith("text/csv"):
            continue
        downloads += 1
        text = b"".join(answer) if answer.streaming else answer.content
        for separator in ",;\t":
            rows = csv.reader(io.StringIO(text.decode("utf-8-sig")), delimiter=separator)
            cells = [
                cell.lstrip("\"' ") if cell[:1] != "'" else cell for row in rows for cell in row
            ]
            assert not [cell for cell in cells if cell[:1] in tuple("=+-@")], file
            harmless += sum("HYPERLINK" in cell for cell in cells)
    assert downloads >= 7 and harmless > 20


@pytest.mark.parametrize("address", ["javascript:alert(3)", "data:text/html,x", "//evil.example"])
def test_a_stores_notice_leads_nowhere_but_to_a_page(address):
    store = make_store()
    with pytest.raises(CommandError):
        call_command("store", store.email, set=[f"privacy_notice_url={address}"])
    store.refresh_from_db()
    assert store.privacy_notice_url == ""


def test_a_request_to_another_host_is_refused_without_filling_the_log(environment_of_processes):
    """In a process of its own: pytest also hears what is logged nowhere."""
    ask = (
        "from django.test import Client;"
        "print(Client().get('/admin/login/', headers={'Host': 'evil.example'}).status_code)"
    )
    done = subprocess.run(
        supervisor.manage_command("shell", "-v", "0", "-c", ask),
        env=environment_of_processes | {"ALLOWED_HOSTS": "sms.example.com"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "400"
    assert done.stderr.count("\n") <= 1, done.stderr
