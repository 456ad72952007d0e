"""Addresses that nobody's page makes: an answer, and no fault of the server."""

import pytest

from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("query", ["last=9999-12-31", "first=0001-01-01", "last=%00", "last=x"])
def test_a_report_of_impossible_days_is_answered(admin_client, query):
    store = make_store()
    for page in ("report/", "report.csv"):
        address = f"/admin/campaigns/campaign/stores/{store.pk}/{page}?{query}"
        assert admin_client.get(address).status_code in (200, 400)


@pytest.mark.parametrize("page", ["contacts/contact", "campaigns/campaign", "astronote/user"])
def test_a_null_character_in_an_address_is_refused(admin_client, page):
    make_campaign(store := make_store(), make_list(store, 1))
    for query in ("?q=%00", "?email__exact=%00", "?p=%00"):
        assert admin_client.get(f"/admin/{page}/{query}").status_code == 400
    assert admin_client.get("/u/%00").status_code in (400, 404)
