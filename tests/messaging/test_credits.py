"""Credits are held once, however many ask for them in the same moment."""

import threading

import pytest
from django.db import connection, transaction

from messaging import credits
from messaging.models import Wallet
from tests.support.factories import make_store
from tests.support.waiting import one_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def hold_beside(needs, into):
    def hold():
        with transaction.atomic():
            into.append(credits.hold_credits_where_sufficient(needs))
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    return thread


def test_who_comes_second_finds_what_the_first_left():
    store, other = make_store(balance=100), make_store("other", balance=100)
    second = []
    with transaction.atomic():
        assert credits.hold_credits_where_sufficient({store.pk: 60}) == {store.pk}
        thread = hold_beside({store.pk: 60, other.pk: 100}, second)
        wait_until(one_waits_for_a_lock)
    thread.join(10)
    assert second == [{other.pk}]
    reserved = dict(Wallet.objects.values_list("owner", "reserved_balance"))
    assert reserved == {store.pk: 60, other.pk: 100}


def test_what_is_held_by_a_transaction_that_fails_is_free_again():
    store = make_store(balance=100)
    second = []
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        assert credits.hold_credits_where_sufficient({store.pk: 60}) == {store.pk}
        thread = hold_beside({store.pk: 60}, second)
        wait_until(one_waits_for_a_lock)
        raise ZeroDivisionError
    thread.join(10)
    assert second == [{store.pk}]


def test_a_store_without_a_wallet_has_no_credits():
    store = make_store(balance=0)
    assert credits.hold_credits_where_sufficient({store.pk: 1}) == set()
    with pytest.raises(credits.InsufficientCredits) as refused:
        credits.reserve_credits_or_raise([credits.NewBatch(store.pk, 1, 7)])
    assert (refused.value.needed, refused.value.available) == (7, 0)
