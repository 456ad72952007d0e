"""Registries of what other apps add to a contact's admin page: panels, actions, erasures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from astronote.accounts.models import User
from astronote.operations.registry import Registry
from contacts.models import Contact

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


@dataclass(frozen=True)
class ContactPanel:
    """A card of a contact's page: a template and the function that gives its context."""

    name: str
    template: str
    context: Callable[[HttpRequest, Contact], Mapping[str, Any]]
    order: int


@dataclass(frozen=True)
class ContactAction:
    """An admin action of the list of contacts, also a button on a contact's page.

    `function` takes the arguments of an admin action. It may return a page that asks for a
    confirmation. `permission` is `change` or `delete`; `style` is the CSS class of the button,
    which is shown if `applies` says that it would change something.
    """

    name: str
    label: str | StrPromise
    list_label: str | StrPromise
    permission: str
    function: Callable[[Any, HttpRequest, QuerySet[Contact]], HttpResponse | None]
    style: str = ""
    applies: Callable[[Contact], bool] = lambda contact: True


@dataclass(frozen=True)
class ContactErasure:
    """What the admin does instead of deleting a contact: erase it and all that names it."""

    name: str
    erase: Callable[[Contact, User], object]


contact_panels: Registry[ContactPanel] = Registry()
contact_actions: Registry[ContactAction] = Registry()
contact_erasures: Registry[ContactErasure] = Registry()
