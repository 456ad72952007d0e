"""Every list in the admin opens, in a number of queries that does not grow with its rows."""

import pytest
from django.contrib import admin
from django.urls import reverse

from campaigns import enqueue
from messaging.models import Batch
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_list_opens(admin_client, django_assert_max_num_queries):
    store = make_store()
    enqueue.start(make_campaign(store, make_list(store, 30)).pk)
    assert Batch.objects.exists()
    for model in admin.site._registry:
        if model._meta.app_label == "django_rq":
            continue
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        with django_assert_max_num_queries(10):
            assert admin_client.get(url).status_code == 200, url


def test_the_queue_dashboard_is_reachable(admin_client):
    assert admin_client.get("/admin/django_rq/dashboard/").status_code == 200
