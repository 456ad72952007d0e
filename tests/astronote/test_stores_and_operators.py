"""An operator's account is no store, and a store that has left is offered nothing new."""

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from astronote.models import User
from astronote.operations import first_day, registry
from campaigns import exports
from campaigns.models import ExportRun
from compliance.record import describe_stores_as_controllers
from contacts.lookup import regions_of_all_stores_and_default
from messaging import reply_stores
from tests.support.factories import make_store

pytestmark = pytest.mark.django_db
OFFERED_BY_FORMS = (
    "admin:campaigns_direct_file", "admin:messaging_messagetemplate_starter",
    "admin:contacts_customfield_fill", "admin:campaigns_redemption_redeem",
    "admin:contacts_suppression_import",
)  # fmt: skip
# A store that has left may still be suppressed for, and its templates looked at.
ALSO_FOR_STORES_THAT_LEFT = {
    "admin:messaging_messagetemplate_starter", "admin:contacts_suppression_import",
}  # fmt: skip
PAGES_OF_A_STORE = (
    "record_purchase", "admin:campaigns_store_report", "admin:campaigns_automationrule_store",
    "off_board_store", "top_up",
)  # fmt: skip
COMMANDS_OF_A_STORE = (("store_report", "ops@example.com"), ("top_up", "ops@example.com", "5"))


@pytest.fixture
def accounts():
    """A store, one that has left, and an operator's account with all that a store can have."""
    here = make_store("alice", company="Here", phone_region="GR")
    left = make_store("bob", company="Left", phone_region="FR", left_at=timezone.now())
    operator = User.objects.create_superuser(
        "ops@example.com", company="Operator", phone_region="IT", sender_name="OPERATOR",
        weekly_exports=True,
    )  # fmt: skip
    return here, left, operator


@pytest.mark.parametrize("name", OFFERED_BY_FORMS)
def test_a_form_offers_the_stores_that_are_here(admin_client, accounts, name):
    here, left, _ = accounts
    offered = set(admin_client.get(reverse(name)).context["form"].fields["store"].queryset)
    assert offered == ({here, left} if name in ALSO_FOR_STORES_THAT_LEFT else {here})


@pytest.mark.parametrize("name", PAGES_OF_A_STORE)
def test_an_operator_has_no_page_of_a_store(admin_client, accounts, name):
    here, _, operator = accounts
    assert admin_client.get(reverse(name, args=[here.pk])).status_code != 404
    assert admin_client.get(reverse(name, args=[operator.pk])).status_code == 404


@pytest.mark.parametrize("command", COMMANDS_OF_A_STORE, ids=lambda command: command[0])
def test_an_operator_is_no_store_of_a_command(accounts, command):
    with pytest.raises(CommandError, match="no store"):
        call_command(*command)


def test_an_operator_is_not_found_where_stores_are(admin_client, accounts):
    here, left, operator = accounts
    assert not registry.search_sources.get("stores").search("Operator")
    assert first_day.newest_store_id() == left.pk
    assert {"FR", "IT"} & set(regions_of_all_stores_and_default()) == {"FR"}
    addressees = reply_stores.find_addressees_or_all_stores([], [], "OPERATOR")
    assert operator.pk not in addressees.owner_ids
    assert len(describe_stores_as_controllers()) == 2
    log = admin_client.get("/admin/messaging/directmessage/log/", {"store": "Operator"})
    assert "No store begins so." in log.text and '<option value="Operator">' not in log.text
    stores = admin_client.get("/admin/astronote/user/").context["cl"].result_list
    assert {store.pk for store in stores} == {here.pk, left.pk}


def test_only_stores_that_are_here_and_wish_it_get_a_weekly_export(accounts):
    here, left, _ = accounts
    User.objects.filter(pk__in=[here.pk, left.pk]).update(weekly_exports=True)
    wishes_none = make_store("charlie")
    exports.request_weekly_exports()
    assert set(ExportRun.objects.values_list("owner", flat=True)) == {here.pk}
    assert wishes_none.pk not in ExportRun.objects.values_list("owner", flat=True)


def test_a_new_row_is_of_the_only_store_that_is_here(admin_client, accounts):
    here, _, _ = accounts
    form = admin_client.get("/admin/campaigns/campaign/add/").context["adminform"].form
    assert form.initial["owner"] == here.pk
