"""Roles, and the accounts that commands make."""

import json

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.http import HttpRequest

from astronote.accounts import roles
from astronote.models import AuditEntry, User
from messaging.models import Wallet
from tests.support.factories import make_store

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"
APPS = {"astronote", "contacts", "messaging", "campaigns", "compliance"}


def permissions(role):
    found = roles.permissions_of_role_or_viewer(role).values_list(
        "content_type__app_label", "codename"
    )
    return {f"{app}.{codename}" for app, codename in found}


def test_a_viewer_may_view_everything_of_ours_and_nothing_else():
    found = permissions("viewer")
    every = Permission.objects.filter(content_type__app_label__in=APPS)
    views = every.filter(codename__startswith="view_")
    assert len(found) == views.count() > 15
    assert {name.split(".")[0] for name in found} == APPS


def test_an_operator_also_adds_and_changes_what_operators_work_on():
    more = permissions("operator") - permissions("viewer")
    work = [
        "astronote.{}_user",
        "contacts.{}_contact",
        "contacts.{}_contactimport",
        "contacts.{}_customerevent",
        "contacts.{}_customfield",
        "contacts.{}_list",
        "contacts.{}_suppression",
        "messaging.{}_messagetemplate",
        "messaging.{}_reply",
        "messaging.{}_replyreview",
        "messaging.{}_savedanswer",
        "campaigns.{}_campaign",
        "campaigns.{}_automation",
        "campaigns.{}_automationrule",
        "campaigns.{}_exportrun",
        "campaigns.{}_nfctag",
        "campaigns.{}_redemption",
        "campaigns.{}_segment",
        "campaigns.{}_signuppage",
    ]
    assert more == {name.format(verb) for name in work for verb in ("add", "change")}
    assert permissions("viewer") < permissions("operator")


def test_an_administrator_may_everything_of_ours_and_see_the_queues():
    found = permissions("administrator")
    assert {name.split(".")[0] for name in found} == APPS | {"django_rq"}
    assert "django_rq.admin" in found and "contacts.delete_contact" in found
    assert "messaging.add_credittransaction" in found
    assert permissions("operator") < found


def test_a_group_has_no_more_than_its_role_although_somebody_added_to_it():
    group = roles.create_or_update_role_group("viewer")
    group.permissions.add(Permission.objects.get(codename="delete_contact"))
    assert roles.create_or_update_role_group("viewer") == group
    assert not group.permissions.filter(codename="delete_contact").exists()


@pytest.mark.parametrize("role", ["viewer", "operator", "service_operator", "administrator"])
def test_an_operators_account_gets_into_the_admin_with_its_role_alone(client, role):
    call_command("create_operator", " Olga@Example.com", role=role, password=PASSWORD)
    account = User.objects.get()
    assert account.email == "olga@example.com"
    assert (account.is_staff, account.is_superuser) == (True, False)
    assert [group.name for group in account.groups.all()] == [role]
    assert client.login(request=HttpRequest(), username="olga@example.com", password=PASSWORD)
    assert client.get("/admin/").status_code == 200


def test_an_operator_who_cannot_be_made_leaves_nothing_behind():
    make_store("alice")
    for email, why in (("alice@example.com", "already exists"), ("nobody", "valid email")):
        with pytest.raises(CommandError, match=why):
            call_command("create_operator", email, role="viewer", password=PASSWORD)
    assert User.objects.count() == 1


def test_a_store_is_made_with_a_wallet_and_may_not_log_in(client, capsys):
    call_command(
        "create_store",
        "Alice@Example.com",
        company="Alice's",
        sender="ALICESHOP",
        timezone="Europe/Athens",
        region="GR",
        json=True,
    )
    store = User.objects.get()
    assert json.loads(capsys.readouterr().out) == {"id": store.pk, "email": "alice@example.com"}
    assert (store.company, store.sender_name) == ("Alice's", "ALICESHOP")
    assert (store.timezone, store.phone_region) == ("Europe/Athens", "GR")
    assert (store.is_staff, store.is_superuser, store.is_active) == (False, False, True)
    assert not store.has_usable_password()
    assert Wallet.objects.get(owner=store).balance == 0
    call_command("create_store", "bob@example.com")
    bob = User.objects.get(email="bob@example.com")
    assert (bob.timezone, bob.phone_region, bob.sender_name) == ("UTC", "", "")


@pytest.mark.parametrize(
    ("options", "why"),
    [({"sender": "ab"}, "3 to 11 letters"), ({"sender": "a" * 12}, "3 to 11 letters"),
     ({"sender": "+123456"}, "3 to 11 letters"), ({"timezone": "Mars"}, "IANA"),
     ({"region": "XX"}, "two-letter country")],
)  # fmt: skip
def test_a_store_with_a_mistake_is_not_made(options, why):
    with pytest.raises(CommandError, match=why):
        call_command("create_store", "alice@example.com", **options)
    assert not User.objects.exists() and not Wallet.objects.exists()


def test_the_same_address_in_another_case_is_the_same_store():
    make_store("alice")
    with pytest.raises(CommandError, match="already exists"):
        call_command("create_store", "ALICE@example.com")


def test_a_store_is_changed_in_what_was_said_alone(capsys):
    store, other = make_store("alice", company="Alice's"), make_store("bob")
    call_command("store", store.email, set=["retention_days=30", "sender_name=+306900000001"])
    call_command("store", str(store.pk), set=["retention_days="], json=True)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["retention_days"], told["sends"]) == (None, "as +306900000001")
    assert (told["balance"], told["available"], told["company"]) == (1000, 1000, "Alice's")
    other.refresh_from_db()
    assert other.sender_name == "TESTSHOP"
    first, _ = AuditEntry.objects.order_by("pk")
    assert first.details == {"settings": ["retention_days", "sender_name"]}
    assert (first.actor_name, first.action) == ("command line", "store changed")
    assert first.owner == store and first.subject == f"store {store.pk}"
    call_command("store", store.email)
    assert AuditEntry.objects.count() == 2
    assert "sends: as +306900000001" in capsys.readouterr().out


def test_nothing_is_changed_if_one_of_the_settings_is_wrong():
    store = make_store("alice")
    with pytest.raises(CommandError, match="IANA"):
        call_command("store", store.email, set=["company=New", "timezone=Mars"])
    store.refresh_from_db()
    assert store.company == "" and not AuditEntry.objects.exists()


def test_embedded_servers_are_not_run_where_others_are_set():
    with pytest.raises(CommandError, match="nothing to run"):
        call_command("services")
