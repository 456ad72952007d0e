"""Rows that several requests bring in one moment are written together, and none is lost."""

import asyncio
import threading

import pytest

from messaging.write_coalescer import WriteCoalescer


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
    """Bring rows at the same time; the outcome of each is `stored`, or the error's words."""

    def run(first, *rest):
        return asyncio.run(_bring(first, *rest))

    together = WriteCoalescer(store.write)

    async def _bring(first, *rest):
        async def write(rows):
            try:
                await together(rows)
            except OSError as error:
                return str(error)
            return "stored"

        tasks = [asyncio.create_task(write(first))]
        await asyncio.to_thread(store.busy.wait, 5)
        tasks += [asyncio.create_task(write(rows)) for rows in rest]
        await asyncio.sleep(0)  # they wait now
        store.go_on.set()
        return await asyncio.wait_for(asyncio.gather(*tasks), 5)

    return run


def test_what_comes_while_another_writes_is_written_at_once(store, bring):
    assert set(bring("a", "bc", "d", "e", "f")) == {"stored"}
    assert store.writes == [["a"], ["b", "c", "d", "e", "f"]]


def test_everybody_whose_rows_were_not_written_is_told(store, bring):
    store.breaks = True
    assert bring("a", "b", "c") == ["stored", "no room", "no room"]


def test_after_an_error_the_next_are_written_again(store, bring):
    store.breaks = True
    assert bring("a", "b") == ["stored", "no room"]
    store.breaks = False
    assert bring("c") == ["stored"]
    assert store.writes == [["a"], ["b"], ["c"]]
