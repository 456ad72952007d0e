"""Whose word counts for the visitor's address and scheme."""

import ipaddress

import pytest
from axes.models import AccessAttempt

from astronote.common.visitor import TrustedProxies

PROXY = "10.0.0.5"


@pytest.fixture
def visit(rf, settings):
    """What the pages read of a request: its address and scheme."""
    settings.TRUSTED_PROXIES = [ipaddress.ip_network(net) for net in ("10.0.0.0/8", "fd00::/8")]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

    def read(peer, **headers):
        seen = []
        TrustedProxies(seen.append)(rf.get("/", REMOTE_ADDR=peer, headers=headers))
        return seen[0].META["REMOTE_ADDR"], seen[0].scheme

    return read


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("1.1.1.1, 198.51.100.7", "198.51.100.7"),
        ("1.1.1.1, 198.51.100.7, 10.9.9.9", "198.51.100.7"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("198.51.100.7:4711", "198.51.100.7"),
        ("[2001:db8::1]:4711, fd00::2", "2001:db8::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("198.51.100.7, unknown", PROXY),
        ("", PROXY),
        ("<script>", PROXY),
    ],
)
def test_the_address_is_the_last_that_a_trusted_proxy_vouches_for(visit, forwarded, address):
    assert visit(PROXY, x_forwarded_for=forwarded)[0] == address


def test_a_stranger_tells_neither_address_nor_scheme(visit):
    headers = {"x_forwarded_for": "1.1.1.1", "x_forwarded_proto": "https"}
    assert visit("198.51.100.7", **headers) == ("198.51.100.7", "http")


def test_the_scheme_is_what_the_proxy_says_and_not_what_it_was_sent(visit):
    assert visit(PROXY, x_forwarded_proto="https")[1] == "https"
    assert visit(PROXY, x_forwarded_proto="https, http")[1] == "http"


@pytest.mark.django_db(transaction=True)
def test_the_throttle_counts_by_the_visitor_and_not_by_the_proxy(client, settings):
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("127.0.0.1")]
    form = {"username": "alice@example.com", "password": "wrong"}
    client.post("/admin/login/", form, headers={"X-Forwarded-For": "1.1.1.1, 198.51.100.7"})
    assert AccessAttempt.objects.get().ip_address == "198.51.100.7"
