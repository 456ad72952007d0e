"""Rows that several requests bring in one moment are written together, and none is lost."""

import threading

import pytest

from messaging.write_coalescer import WriteCoalescer
from tests.support.waiting import wait_until


class Store:
    """A place to write to that is slow the first time, and breaks if it is told to."""

    def __init__(self):
        self.writes, self.breaks = [], False
        self.busy, self.go_on = threading.Event(), threading.Event()

    def write(self, rows):
        self.writes.append(sorted(rows))
        if len(self.writes) == 1:
            self.busy.set()
            assert self.go_on.wait(10)
        elif self.breaks:
            raise OSError("no room")


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def bring(store):
    """Bring rows in a thread; its outcome is `stored`, or the error's words."""
    together = WriteCoalescer(store.write)
    threads, outcomes = [], {}

    def start(*rows):
        def run():
            try:
                together(rows)
                outcomes[rows] = "stored"
            except OSError as error:
                outcomes[rows] = str(error)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()

    def gathered(count):
        wait_until(lambda: len(together._waiting) == count, seconds=5)

    def all_done():
        store.go_on.set()
        for thread in threads:
            thread.join(5)
        assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
        return outcomes

    start.gathered, start.all_done = gathered, all_done
    return start


def test_what_comes_while_another_writes_is_written_at_once(store, bring):
    bring("a")
    assert store.busy.wait(5)
    bring("b", "c")
    for row in ("d", "e", "f"):
        bring(row)
    bring.gathered(4)
    assert set(bring.all_done().values()) == {"stored"}
    assert store.writes == [["a"], ["b", "c", "d", "e", "f"]]


def test_everybody_whose_rows_were_not_written_is_told(store, bring):
    store.breaks = True
    bring("a")
    assert store.busy.wait(5)
    bring("b")
    bring("c")
    bring.gathered(2)
    assert bring.all_done() == {("a",): "stored", ("b",): "no room", ("c",): "no room"}


def test_after_an_error_the_next_are_written_again(store, bring):
    store.breaks = True
    store.go_on.set()
    for row in ("a", "b"):
        bring(row)
        bring.all_done()
    store.breaks = False
    bring("c")
    assert bring.all_done() == {("a",): "stored", ("b",): "no room", ("c",): "stored"}
    assert store.writes == [["a"], ["b"], ["c"]]
