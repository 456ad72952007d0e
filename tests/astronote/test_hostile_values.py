"""Every address with values that no page of ours sends: an answer, and no fault of the server."""

import itertools
import re

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver

from astronote.models import User
from contacts.importing import lifecycle
from tests.astronote.test_security import route_of_pattern, rows_of_every_kind
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PASSWORD = "a-long-password-of-mine"
VALUES = [
    "", "-1", "0", "99999999999999999999", "1e309", "NaN", "٣", "x" * 5000, "' OR 1=1 --", "[]",
    '{"a":' * 500, "9999-12-31", "0001-01-01", "\ud7ff\uffff", "a\r\nb: c", "../../etc/passwd",
    "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "nan", "1,2,,3", "column-99", "\0", "%00",
]  # fmt: skip
QUERIES = ["p", "o", "q", "e", "first", "last", "store", "credits", "id", "all", "_popup",
           "_to_field", "next", "owner__id__exact", "status__exact", "is_active__exact",
           "_changelist_filters", "attempt_time__year",
           "created_at__year", "at__iso_year__gt", "at", "term", "app_label", "model_name",
           "field_name", "trouble", "campaign__id__exact",
           "owner__password__startswith"]  # fmt: skip


def patterns(resolver=None, prefix=""):
    for entry in (resolver or get_resolver()).url_patterns:
        route = route_of_pattern(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from patterns(entry, prefix + route)
        elif isinstance(entry, URLPattern):
            yield prefix + route


# Who asks, and whether odd values stand in addresses, too: behind those of rows that are none, an
# administrator reaches whatever the other operators reach.
VISITORS = {
    "nobody": True,
    "store": True,
    "viewer": False,
    "operator": False,
    "administrator": True,
}


def addresses(pk, *, has_odd_ones):
    """Every address, with a row that exists and with odd values for its parameters."""
    for route in patterns():
        yield re.sub(r"<[^>]*>", str(pk), route)
        if "<" in route and has_odd_ones:
            for odd in ("99999999999999999999", "%E2%82%AC", "%C3%A9", "-1", "_5F"):
                yield re.sub(r"<[^>]*>", odd, route)


def account_of(who):
    if who == "nobody":
        return None
    if who == "store":
        return User.objects.filter(is_staff=False).first()
    call_command("create_operator", f"{who}@example.com", role=who, password=PASSWORD)
    return User.objects.get(email=f"{who}@example.com")


def attempt(client, method, address, data):
    try:
        return getattr(client, method)(f"/{address}", data).status_code
    except Exception as error:  # noqa: BLE001 - the test client raises what would be a 500
        return f"{type(error).__name__}: {error}"[:200]


@pytest.fixture
def filled(sandbox):
    store = make_store()
    make_campaign(store, make_list(store, 2))
    rows_of_every_kind(store, sandbox)
    lifecycle.create_unstarted_import_or_refuse(store.pk, "a.csv", [b"phone\n+306900000008\n"])
    return store


def faults(client, pk, who):
    """What answered with a fault, for one visitor; each has other values at the same address."""
    turn = list(VISITORS).index(who)
    for number, address in enumerate(sorted(set(addresses(pk, has_odd_ones=VISITORS[who])))):
        if "logout" in address:
            continue
        value = VALUES[(number + 7 * turn) % len(VALUES)]
        name = QUERIES[(number + 5 * turn) % len(QUERIES)]
        form = dict.fromkeys((*QUERIES, "action", "_selected_action", "at", "to", "seen",
                              "reason", "key", "owner", "name", "text", "email", "phone",
                              "column-0", "column-99", "file", "session", "code", "confirmed",
                              "opt_out", "role"), value)  # fmt: skip
        for method, data in (("get", {name: value}), ("post", form)):
            status = attempt(client, method, address, data)
            if not isinstance(status, int) or (status >= 500 and status != 503):
                yield f"{method} /{address} {name}={value[:30]!r}: {status}"


@pytest.mark.parametrize("who", VISITORS)
def test_no_value_makes_a_fault_of_the_server(who, filled, client):
    if account := account_of(who):
        client.force_login(account)
    found = list(faults(client, filled.pk, who))
    assert not found, "\n".join(found)


def test_every_list_of_the_admin_takes_every_query(filled, admin_client):
    """Each list gets each query with two values, and the values go round."""
    found = []
    values = itertools.cycle(VALUES)
    for model in admin.site._registry:
        page = f"admin/{model._meta.app_label}/{model._meta.model_name}/"
        if model._meta.app_label == "django_rq":
            continue
        for name in QUERIES:
            for value in itertools.islice(values, 2):
                status = attempt(admin_client, "get", page, {name: value})
                if not isinstance(status, int) or status >= 500:
                    found.append(f"/{page}?{name}={value[:30]!r}: {status}")
    assert not found, "\n".join(found)
