"""Results that a thread computes while the caller works on those before."""

import sys
import threading
from itertools import repeat

import pytest

from astronote.common.prefetch import prefetch_in_one_thread


def test_results_come_in_order_and_from_another_thread():
    numbers = iter(range(20))
    threads = set()

    def call():
        threads.add(threading.get_ident())
        return next(numbers)

    assert list(prefetch_in_one_thread(repeat(call), max_ahead=3)) == list(range(20))
    assert len(threads) == 1 and threading.get_ident() not in threads


def test_no_more_calls_are_made_than_asked_for_in_advance():
    made = []
    results = prefetch_in_one_thread((lambda n=n: made.append(n) for n in range(9)), max_ahead=2)
    next(results)
    results.close()
    assert len(made) <= 3


def test_an_error_of_a_call_comes_in_its_place():
    def fail():
        raise ValueError("the second")

    results = prefetch_in_one_thread([lambda: 1, fail, lambda: 3], max_ahead=2)
    assert next(results) == 1
    with pytest.raises(ValueError, match="the second"):
        next(results)


def test_threads_take_turns_quickly_only_while_results_are_computed():
    before = sys.getswitchinterval()
    results = prefetch_in_one_thread([lambda: 1, lambda: 2], max_ahead=1)
    next(results)
    assert sys.getswitchinterval() < before
    results.close()
    assert sys.getswitchinterval() == before
