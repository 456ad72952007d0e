"""Accounts: who can log in, what deleting one takes along, and what is written of changes."""

import pytest
from django.core.management import call_command

from astronote.models import AuditEntry, User
from campaigns.models import Campaign
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"


def test_an_address_that_an_administrator_typed_with_capitals_logs_in(admin_client, client):
    form = {"email": "Alice@Example.COM", "role": "viewer"}
    assert "/admin/set-password/" in admin_client.post("/admin/astronote/operator/add/", form).text
    account = User.objects.get(email="alice@example.com")
    account.set_password(PASSWORD)
    account.save()
    for typed in ("alice@example.com", "Alice@Example.COM"):
        answer = client.post("/admin/login/", {"username": typed, "password": PASSWORD})
        assert answer.status_code == 302
        client.logout()


def test_deleting_a_store_or_an_operator_is_not_offered(admin_client):
    working = make_store()
    operator = User.objects.create_user("new@example.com", is_staff=True)
    make_campaign(working, make_list(working, 1))
    for page in (
        f"/admin/astronote/user/{working.pk}/",
        f"/admin/astronote/operator/{operator.pk}/",
    ):
        assert "/delete/" not in admin_client.get(page + "change/").text
        assert admin_client.post(page + "delete/", {"post": "yes"}).status_code == 403


def test_spending_exporting_and_a_new_sender_are_in_the_audit_trail_by_every_door(admin_client):
    store = make_store()
    make_campaign(store, make_list(store, 1))
    for _ in range(2):  # the second adds nothing
        call_command("top_up", str(store.pk), "50", key="invoice 7")
    admin_client.get("/admin/contacts/suppression/export.csv")
    call_command("suppressions", "export")
    pk = Campaign.objects.get().pk
    admin_client.get(f"/admin/campaigns/campaign/{pk}/messages.csv")
    address = f"/admin/astronote/user/{store.pk}/change/"
    initial = admin_client.get(address).context["adminform"].form.initial
    form = {name: value for name, value in initial.items() if value not in (None, False, [])}
    admin_client.post(address, form | {"sender_name": "Another", "is_active": "on"})
    written = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert written == ["top up", "suppressions exported", "suppressions exported",
                       "messages exported", "sender ID changed", "changed"]  # fmt: skip
