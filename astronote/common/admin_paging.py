"""Paging of the admin's lists by the key of their rows, and how many rows they say they have."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext
from unfold.views import ChangeList

from astronote.common.sql import rows

MAX_COUNTED = 10_000
# The key of the row that a page of a list begins after, going down or up.
OLDER, NEWER = "before", "after"


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # no generic at run time
    """Counts at most MAX_COUNTED rows, so that a list of millions opens at once."""

    @cached_property
    def count(self) -> int:
        """The number of rows, at most MAX_COUNTED."""
        rows = cast("models.QuerySet[Any]", self.object_list)
        return int(rows.order_by()[:MAX_COUNTED].count())


class KeysetChangeList(ChangeList):
    """A list that is paged by the key of its rows, so that its end is as near as its beginning.

    A list that somebody sorted by another column is paged by number, as Django does.
    """

    has_older = has_newer = False
    first_key = last_key = None

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """The parameters that filter; the place in the list is none."""
        found: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in (OLDER, NEWER)}

    def get_ordering_field(self, field_name: Any) -> Any:
        """The order of a column; None of one that may not be sorted, whatever the address says."""
        return super().get_ordering_field(field_name) if field_name in self.sortable_by else None

    @cached_property
    def is_ordered_by_paging_key(self) -> bool:
        """Whether the rows come in the order of the list's key."""
        ordering = self._ordering_of_model_admin
        is_default = "o" not in self.params and len(ordering) == 1
        return is_default and ordering[0] in self.model_admin.list_keys

    @property
    def _ordering_of_model_admin(self) -> list[str]:
        return [str(name) for name in self.model_admin.get_ordering(self.request)]

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.request = request
        super().__init__(request, *args, **kwargs)

    def get_results(self, request: HttpRequest) -> None:
        """The rows of this page, and whether there are more on either side."""
        super().get_results(request)
        # The theme writes a second count on top of the list where the two differ.
        self.full_result_count = self.result_count
        if not self.is_ordered_by_paging_key:
            return
        ordered_by = self._ordering_of_model_admin[0]
        column, is_descending = ordered_by.removeprefix("-"), ordered_by.startswith("-")
        older, newer = request.GET.get(OLDER, ""), request.GET.get(NEWER, "")
        queryset = self.queryset
        size = self.list_per_page + 1
        if newer.isdecimal():
            comparison = "gt" if is_descending else "lt"
            found = queryset.filter(**{f"{column}__{comparison}": newer})
            found = list(found.order_by(column if is_descending else f"-{column}")[:size])
            self.has_older, self.has_newer = True, len(found) == size
            found = found[: self.list_per_page][::-1]
        else:
            if older.isdecimal():
                comparison = "lt" if is_descending else "gt"
                queryset = queryset.filter(**{f"{column}__{comparison}": older})
            found = list(queryset[:size])
            self.has_newer, self.has_older = older.isdecimal(), len(found) == size
            found = found[: self.list_per_page]
            if column != "pk" and older.isdecimal() and not self.has_older:
                # No comparison finds those whose key is empty: they stand at the end.
                without_key = self.queryset.filter(**{f"{column}__isnull": True})
                found += without_key[: self.list_per_page]
        self.result_list = found
        self.multi_page = self.has_older or self.has_newer
        self.can_show_all = False
        if found:
            attribute = "pk" if column == "pk" else f"{column}_id"
            self.first_key = getattr(found[0], attribute)
            self.last_key = getattr(found[-1], attribute)
            self.has_older = self.has_older and self.last_key is not None

    @property
    def older_link(self) -> str:
        """The address of the next page."""
        return str(self.get_query_string({OLDER: self.last_key}, [NEWER, "p"]))

    @property
    def newer_link(self) -> str:
        """The address of the page before."""
        return str(self.get_query_string({NEWER: self.first_key}, [OLDER, "p"]))

    @property
    def exact_or_estimated_count_text(self) -> str:
        """How many rows there are, exactly or as PostgreSQL last estimated the table."""
        names = self.opts.verbose_name if self.result_count == 1 else self.opts.verbose_name_plural
        if self.result_count < MAX_COUNTED:
            return f"{intcomma(self.result_count)} {names}"
        is_whole_table = not (self.query or self.get_filters_params())
        if is_whole_table and (estimate := _estimated_row_count(self.model)) > MAX_COUNTED:
            return gettext("about %(count)s %(names)s") % {
                "count": intcomma(_round_to_two_digits(estimate)),
                "names": names,
            }
        return gettext("more than %(count)s %(names)s") % {
            "count": intcomma(MAX_COUNTED - 1),
            "names": names,
        }


def _estimated_row_count(model: type[models.Model]) -> int:
    sql = "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass"
    [(estimate,)] = rows(sql, [model._meta.db_table])
    return int(estimate)


def _round_to_two_digits(number: int) -> int:
    """The number with its first two digits; the rest of an estimate says nothing."""
    unit: int = 10 ** max(len(str(number)) - 2, 0)
    return int(round(number / unit) * unit)
