"""Small builders of test data; every number is invented."""

from __future__ import annotations

from astronote.models import User
from campaigns.models import Campaign
from contacts.models import Contact, List, ListMembership
from messaging.models import CreditTransaction, Wallet
from messaging.statuses import TransactionType


def make_store(name: str = "alice", *, balance: int = 1000, **fields) -> User:
    fields = {"sender_name": "TESTSHOP", "language": "en"} | fields
    # Not by create_user: its checks are ten queries, and most tests begin with a store.
    store = User(email=f"{name}@example.com", **fields)
    store.set_unusable_password()
    store.save()
    if balance:
        # What `credits.top_up` leaves of a first top-up, without the five queries of its checks.
        Wallet.objects.create(owner=store, balance=balance)
        CreditTransaction.objects.create(
            owner=store,
            type=TransactionType.CREDIT,
            amount=balance,
            balance_after=balance,
            reason="test",
            idempotency_key=f"test:{store.pk}",
        )
    return store


def make_contact(store: User, phone: str | None = "+306900000001", **fields) -> Contact:
    """A contact that has agreed to marketing, unless the fields say otherwise."""
    return Contact.objects.create(owner=store, phone=phone, **{"is_subscribed": True} | fields)


def link_in(text: str, path: str) -> str:
    """The path of the first link in a text that begins with this path, such as `/u/`."""
    return text[text.index(path) :].split()[0]


def make_list(store: User, size: int, *, name: str = "all", **fields) -> List:
    """A list of so many new contacts that have agreed to marketing, +306900000000 and on."""
    fields = {"is_subscribed": True} | fields
    contacts = Contact.objects.bulk_create(
        Contact(owner=store, phone=f"+30690{n:07}", first_name=f"Name{n}", **fields)
        for n in range(size)
    )
    target = List.objects.create(owner=store, name=name)
    ListMembership.objects.bulk_create(ListMembership(list=target, contact=c) for c in contacts)
    return target


def make_campaign(store: User, target: List | None, **fields) -> Campaign:
    fields = {"message_text": "Hello {{first_name}}", "name": "Spring"} | fields
    return Campaign.objects.create(owner=store, created_by=store, list=target, **fields)
