"""Accounts: who can log in, what deleting one takes along, and what is written of changes."""

import pytest
from django.core.management import call_command

from astronote.common import audit
from astronote.models import AuditEntry, User
from campaigns.models import Campaign
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"


def test_an_address_that_an_administrator_typed_with_capitals_logs_in(admin_client, client):
    form = {"email": "Alice@Example.COM", "password1": PASSWORD, "password2": PASSWORD,
            "usable_password": "true"}  # fmt: skip
    assert admin_client.post("/admin/astronote/user/add/", form).status_code == 302
    User.objects.filter(email="alice@example.com").update(is_staff=True)
    for typed in ("alice@example.com", "Alice@Example.COM"):
        answer = client.post("/admin/login/", {"username": typed, "password": PASSWORD})
        assert answer.status_code == 302
        client.logout()


def test_deleting_is_offered_only_where_it_is_done_and_leaves_the_audit_trail(admin_client):
    empty = User.objects.create_user("new@example.com", is_staff=True)
    working = make_store()
    make_campaign(working, make_list(working, 1))
    audit.write_entry("store changed", empty, by="command line", owner_id=empty.pk)
    page, confirmed = "/admin/astronote/user/{}/", {"post": "yes"}
    assert "/delete/" not in admin_client.get(page.format(working.pk) + "change/").text
    assert admin_client.post(page.format(working.pk) + "delete/", confirmed).status_code == 403
    assert "/delete/" in admin_client.get(page.format(empty.pk) + "change/").text
    assert admin_client.post(page.format(empty.pk) + "delete/", confirmed).status_code == 302
    assert not User.objects.filter(pk=empty.pk).exists()
    kept = AuditEntry.objects.filter(owner_id=empty.pk).values_list("action", flat=True)
    assert set(kept) == {"store changed", "account deleted"}
    assert admin_client.get("/admin/astronote/auditentry/").status_code == 200


def test_spending_exporting_and_a_new_sender_are_in_the_audit_trail_by_every_door(admin_client):
    store = make_store()
    make_campaign(store, make_list(store, 1))
    call_command("top_up", str(store.pk), "50")
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
                       "messages exported", "sender ID changed"]  # fmt: skip
