"""What the apps bring to the pages, checks and jobs of the ground floor.

Each app registers in its `operations.py` and `declarations.py`, which are imported at start
(`AstronoteConfig.ready`). The frames (home page, store page, health, metrics, watchdog, recurring
jobs, sidebar, record of processing, web server) read what is registered here and name no app.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from django.forms import Field
from django.http import HttpRequest
from prometheus_client.core import Metric

from astronote.common.requests import Answer, ReadBody, RequestHead
from astronote.operations.personal_data import NoPersonalData, PersonalData, PersonalPlace

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

    from astronote.accounts.models import User


class Named(Protocol):
    """Anything that a registry tells apart by name."""

    @property
    def name(self) -> str | StrPromise:
        """The name, unique within its registry."""


Item = TypeVar("Item", bound=Named)


class Registry(Generic[Item]):
    """Items by name, in the order of registration, which is that of INSTALLED_APPS."""

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}

    def register(self, *items: Item) -> None:
        """Add items.

        Raises:
            ValueError: if an item of the same name is registered.
        """
        for item in items:
            if item.name in self._items:
                raise ValueError(f"{item.name!r} is registered twice")
            self._items[str(item.name)] = item

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items.values())

    def get(self, name: str) -> Item | None:
        """The item of this name, or None."""
        return self._items.get(name)


@dataclass(frozen=True)
class HomePanel:
    """A card of the home page: a template and the function that gives its context.

    Panels are shown by `order`, lowest first; each takes a fixed number of queries.
    """

    name: str
    template: str
    context: Callable[[], Mapping[str, Any]]
    order: int


@dataclass(frozen=True)
class FirstStep:
    """A step from an empty installation to the first campaign, on the home page's checklist.

    `is_done` asks the data, by one row that an index or a scan finds at once. `url` is where the
    step is done by those who have the permission; "" for what is done outside of the admin.
    """

    name: str | StrPromise
    hint: str | StrPromise
    is_done: Callable[[], bool]
    url: Callable[[], str]
    permission: str
    order: int


class Notice(NamedTuple):
    """A sentence of a banner, and the address of the page where something is done about it."""

    text: str
    url: str


@dataclass(frozen=True)
class Banner:
    """What everybody should know, above every page of the admin while there are notices.

    Each links to its page for those who have the permission. `notices` makes one query if there is
    none: every page asks. With `is_for_alerts_only` no page asks and shows it, as what concerns one
    store, and alerts tell it.
    """

    name: str
    notices: Callable[[], Sequence[Notice]]
    action: str | StrPromise
    permission: str
    is_for_alerts_only: bool = False


@dataclass(frozen=True)
class StorePanel:
    """A card of a store's page: a template and the function that gives its context."""

    name: str
    template: str
    context: Callable[[HttpRequest, User], Mapping[str, Any]]
    order: int


@dataclass(frozen=True)
class HealthCheck:
    """A check of `/readyz`: `problem` returns what is wrong and what to do, or nothing.

    Checks of workers are left out while QUEUE_DISABLED is set. What a web process needs to serve
    is also asked by `/readyz/web`.
    """

    name: str
    problem: Callable[[], str]
    needs_queues: bool = False
    needed_to_serve: bool = False


@dataclass(frozen=True)
class MetricSource:
    """Figures of `/metrics`; a source may raise RedisError and OperationalError."""

    name: str
    collect: Callable[[], Iterable[Metric]]


@dataclass(frozen=True)
class Repair:
    """A duty of the watchdog: `run(dry_run)` returns how many stuck things it found.

    A dry run changes nothing. `label` says what is counted, as people read it.
    """

    name: str
    run: Callable[[bool], int]
    label: StrPromise


@dataclass(frozen=True)
class RunNow:
    """How an operator runs a recurring job at once.

    `effect` is a sentence, "It would …"; `preview` returns how many things the job would do, by
    what is counted, as people read it.
    """

    permission: str
    effect: str | StrPromise
    preview: Callable[[], Mapping[str, int]]


@dataclass(frozen=True)
class RecurringJob:
    """A job that recurs, by `cron` (UTC) or every `interval` seconds."""

    name: str
    queue: str
    task: str
    interval: float | None = None
    cron: str | None = None
    on_start: bool = False
    run_now: RunNow | None = None


@dataclass(frozen=True)
class RecurringJobs:
    """An app's recurring jobs under the present settings."""

    name: str
    jobs: Callable[[], Iterable[RecurringJob]]


@dataclass(frozen=True)
class AsyncPath:
    """An address prefix that is answered in the web server's event loop, without Django.

    `answer` reads the body only if it wants to, and may raise RequestRefused.
    """

    name: str
    prefix: str
    answer: Callable[[RequestHead, ReadBody], Awaitable[Answer]]


@dataclass(frozen=True)
class UploadPath:
    """An address of the admin that takes large bodies, of those who are logged in."""

    name: str
    path: str


@dataclass(frozen=True)
class SidebarLink:
    """An entry of the admin's sidebar, for those who have the permission.

    `section` is "" for the entries on top; `url` is the name of a URL pattern, or a path. `count`
    is how much waits there, by an index: every page asks.
    """

    section: str | StrPromise
    title: str | StrPromise
    icon: str
    url: str
    permission: str
    order: int
    query: str = ""
    count: Callable[[], int] | None = None

    @property
    def name(self) -> str:
        """The name, unique within its registry."""
        return f"{self.section}: {self.title}"

    @classmethod
    def to_admin_changelist(
        cls,
        section: str | StrPromise,
        title: str | StrPromise,
        icon: str,
        model_label: str,
        order: int,
        query: str = "",
        count: Callable[[], int] | None = None,
    ) -> SidebarLink:
        """A link to the admin's list of a model, `app_label.model_name`, for its viewers."""
        app_label, _, name = model_label.partition(".")
        url = f"admin:{app_label}_{name}_changelist"
        return cls(section, title, icon, url, f"{app_label}.view_{name}", order, query, count)


class Found(NamedTuple):
    """A row that a search found: what it is called, what it is, and the address of its page."""

    title: str
    description: str
    url: str


@dataclass(frozen=True)
class SearchSource:
    """What the search of the whole admin finds, for those who have the permission.

    `search` gets what was typed and returns a few rows, found by an index.
    """

    name: str
    icon: str
    permission: str
    search: Callable[[str], Iterable[Found]]


@dataclass(frozen=True)
class OperatorModels:
    """Models of an app that the role `operator` may add and change, in lower case.

    `service_permissions` are what the role `service_operator` may besides, as codenames.
    """

    app_label: str
    models: tuple[str, ...]
    service_permissions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name, unique within its registry."""
        return self.app_label


@dataclass(frozen=True)
class StoreCheck:
    """A check of a store's settings; `check` raises ValidationError with the fields concerned."""

    name: str
    check: Callable[[User], None]


@dataclass(frozen=True)
class NewStoreField:
    """A field of the form of a new store, for those who have the permission.

    `use` gets the new store, what was entered and the operator, in the transaction that adds the
    store; it is not called if the field was left empty.
    """

    name: str
    permission: str
    make_field: Callable[[], Field]
    use: Callable[[User, Any, User], None]


banners: Registry[Banner] = Registry()
home_panels: Registry[HomePanel] = Registry()
first_steps: Registry[FirstStep] = Registry()
store_panels: Registry[StorePanel] = Registry()
health_checks: Registry[HealthCheck] = Registry()
metric_sources: Registry[MetricSource] = Registry()
repairs: Registry[Repair] = Registry()
recurring_jobs: Registry[RecurringJobs] = Registry()
personal_data: Registry[PersonalData] = Registry()
personal_places: Registry[PersonalPlace] = Registry()
no_personal_data: Registry[NoPersonalData] = Registry()
async_paths: Registry[AsyncPath] = Registry()
upload_paths: Registry[UploadPath] = Registry()
sidebar_links: Registry[SidebarLink] = Registry()
search_sources: Registry[SearchSource] = Registry()
operator_models: Registry[OperatorModels] = Registry()
store_checks: Registry[StoreCheck] = Registry()
new_store_fields: Registry[NewStoreField] = Registry()
