"""Locks that another session holds while a test goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from django.db import connection, transaction

from contacts.models import Contact


class Holding:
    """Holds something in another session until it is left."""

    def __init__(self, hold: Callable[[], AbstractContextManager[Any]]) -> None:
        self.hold, self.held, self.end = hold, threading.Event(), threading.Event()

    def __enter__(self) -> None:
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        assert self.held.wait(20)

    def run(self) -> None:
        try:
            with transaction.atomic(), self.hold():
                self.held.set()
                self.end.wait(60)
        finally:
            connection.close()

    def __exit__(self, *_: object) -> None:
        self.end.set()
        self.thread.join(20)


@contextmanager
def locked_contact(phone: str) -> Iterator[None]:
    """The row of a contact, as an import locks those that it writes."""
    list(Contact.objects.select_for_update().filter(phone=phone))
    yield
