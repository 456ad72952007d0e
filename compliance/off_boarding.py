"""Off-boarding a store: nothing is sent any more, what was begun ends, and its data is erased.

The rules are in rules.md#off-boarding. What is erased and what stays is read from the declarations
of personal data. Each step may run twice, late or in two processes: a job that was killed is
continued by the next one.
"""

from __future__ import annotations

import json
import logging
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils.formats import date_format
from django.utils.translation import gettext

from astronote.accounts import sessions
from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.audit import AuditEntry
from astronote.common.locks import advisory_lock
from astronote.common.spreadsheet_csv import BOM, csv_line_with_escaped_formulas
from astronote.common.sql import database_now
from astronote.operations import registry
from astronote.operations.personal_data import OnErasure, PersonalData, Subjects
from astronote.queues import jobs
from campaigns import actions
from campaigns.automations.switching import switch_automation_and_audit_or_raise
from campaigns.models import (
    RUNNING_STATUSES,
    STARTABLE_STATUSES,
    Automation,
    AutomationRule,
    Campaign,
    ExportFileChunk,
)
from compliance import held_rows
from compliance.erasure import (
    delete_contacts,
    erased_value_of_column,
)
from contacts.importing import lifecycle
from contacts.models import Contact, ContactImport, ImportFileChunk, ImportStatus, Suppression
from messaging import batch_queue, replies
from messaging.credits import get_or_create_wallet
from messaging.models import Batch, CreditTransaction, message_classes
from messaging.statuses import UNSENT_BATCH_STATUSES, MessageStatus, Reason

log = logging.getLogger(__name__)

CONTINUE = "compliance.tasks.continue_off_boarding"
NAME = "off-boarding"  # in the audit trail
# In the audit trail:
LEFT, RETURNED = "store off-boarded", "store returned"
DAY_OF_ERASURE_CHANGED = "store's day of erasure changed"
ERASED = "store's data erased"
DEFAULT_DAYS_UNTIL_ERASURE, MAX_DAYS_UNTIL_ERASURE = 30, 3650
CHUNK_ROWS = 1000
OPEN_CAMPAIGN_STATUSES = (*STARTABLE_STATUSES, *RUNNING_STATUSES)
OPEN_IMPORT_STATUSES = (ImportStatus.UPLOADED, *lifecycle.OPEN_IMPORT_STATUSES)


class CannotReturn(Exception):
    """A store's off-boarding cannot be taken back; the message says why."""


def count_consequences(store: User) -> dict[str, int]:
    """What off-boarding would end, erase and keep now, as counts by what they count."""
    contacts = Contact.objects.filter(owner=store)
    kept = contacts.filter(_is_held_or_restricted_q("")).count()
    unsent = {"owner": store, "status": MessageStatus.QUEUED}
    return {
        "campaigns cancelled": _open_campaigns(store).count(),
        "messages not sent": sum(
            model._default_manager.filter(**unsent).count() for model in message_classes()
        ),
        "automations switched off": sum(one.count() for one in _active_automations(store)),
        "imports ended": _open_imports(store).count(),
        "contacts erased": contacts.count() - kept,
        "contacts kept under a legal hold or restriction": kept,
        "messages emptied of number and text": sum(
            model._default_manager.filter(owner=store).count() for model in message_classes()
        ),
        "credits left in the wallet, which stays": get_or_create_wallet(store.pk).balance,
        "ledger entries kept": CreditTransaction.objects.filter(owner=store).count(),
        "opt-outs kept as hashes": Suppression.objects.filter(owner=store).count(),
        "audit entries kept": AuditEntry.objects.filter(owner=store).count(),
    }


@transaction.atomic
def off_board_store(store: User, *, erase_on: date, by: User | AnonymousUser | str) -> None:
    """Stop all sending of a store at once; a job ends what is open, and erases its data in time.

    A store that has left already gets another day of erasure, or nothing changes.

    Args:
        store: the store.
        erase_on: the day (UTC) from which its data is erased; today or earlier: at once.
        by: the account or program that off-boards it.
    """
    locked = User.objects.select_for_update().get(pk=store.pk, is_staff=False)
    action = LEFT if locked.left_at is None else DAY_OF_ERASURE_CHANGED
    if locked.left_at is None or locked.erase_on != erase_on:
        locked.left_at = locked.left_at or database_now()
        locked.erase_on = erase_on
        locked.is_active = False
        locked.set_unusable_password()
        locked.save(update_fields=["left_at", "erase_on", "is_active", "password"])
        sessions.end_sessions(locked)
        audit.write_entry(action, locked, by=by, owner_id=locked.pk, erase_on=erase_on.isoformat())
    jobs.enqueue_on_commit("pii_retention", CONTINUE, locked.pk)
    store.refresh_from_db()


@transaction.atomic
def take_back_store_or_raise_cannot_return(store: User, *, by: User | AnonymousUser | str) -> None:
    """Let a store that has left return, before its data is erased.

    What was cancelled and switched off stays so.

    Raises:
        CannotReturn: if it has not left, or its data is being erased.
    """
    locked = User.objects.select_for_update().get(pk=store.pk)
    if locked.left_at is None or locked.erase_on is None:
        raise CannotReturn(gettext("the store has not left"))
    if locked.erase_on <= database_now().date():
        raise CannotReturn(
            gettext("its data is erased since %(erase_on)s")
            % {"erase_on": date_format(locked.erase_on)}
        )
    locked.left_at, locked.erase_on, locked.is_active = None, None, True
    locked.save(update_fields=["left_at", "erase_on", "is_active"])
    audit.write_entry(RETURNED, locked, by=by, owner_id=locked.pk)
    store.refresh_from_db()


def end_open_work_and_erase_data_if_due(store_id: int) -> dict[str, int]:
    """End what is open of a store that has left, and erase its data if the day has come.

    Does nothing for a store that has not left, or while another process does it. Writes an audit
    entry.

    Returns:
        How many rows of each table were erased.
    """
    with advisory_lock(f"off-boarding {store_id}") as acquired:
        store = User.objects.filter(pk=store_id, left_at__isnull=False).first()
        if not acquired or store is None:
            return {}
        end_open_work(store)
        if store.erase_on is None or store.erase_on > database_now().date():
            return {}
        counts = dict(_apply_replies_and_erase_unheld_data(store))
        if counts:
            audit.write_entry(ERASED, store, by=NAME, owner_id=store.pk, erased=counts)
        if not Contact.objects.filter(owner=store).exists():  # none is held back
            User.objects.filter(pk=store.pk, erased_at=None).update(erased_at=Now())
    log.info("off-boarding of store %s: %s", store_id, counts)
    return counts


def continue_off_boardings() -> None:
    """Continue the off-boarding of every store whose data is due and not all erased."""
    due = User.objects.filter(left_at__isnull=False, erased_at=None)
    for store_id in due.order_by("pk").values_list("pk", flat=True):
        end_open_work_and_erase_data_if_due(store_id)


def end_open_work_of_left_stores(dry_run: bool) -> int:
    """Repair of the watchdog: end what is open of stores that have left; return how many stores.

    A campaign that was being started while its store left is found so.
    """
    outer = OuterRef("pk")
    open_work = [_open_campaigns(outer), _open_imports(outer), _unsent_batches(outer)]
    is_open = Q()
    for rows in [*open_work, *_active_automations(outer)]:
        is_open |= Q(Exists(rows))
    stores = list(User.objects.filter(is_open, left_at__isnull=False).order_by("pk"))
    if not dry_run:
        for store in stores:
            end_open_work(store)
    return len(stores)


def end_open_work(store: User) -> None:
    """Cancel a store's campaigns, unsent batches and imports, and switch its automations off.

    Batches that are being submitted to Mitto still go out.
    """
    for campaign in _open_campaigns(store):
        _end_unless_already_ended(actions.cancel_campaign, campaign)
    for active in _active_automations(store):
        for automation in active:
            switch_automation_and_audit_or_raise(automation, False, by=NAME)
    for contact_import in _open_imports(store):
        _end_unless_already_ended(lifecycle.cancel_import_and_audit_or_raise_ended, contact_import)
    while ids := list(_unsent_batches(store).values_list("pk", flat=True)[:CHUNK_ROWS]):
        batch_queue.cancel_unsent_batches(ids, skip_reason=Reason.CANCELLED)


def _end_unless_already_ended(end: Any, row: models.Model) -> None:
    """End a campaign or an import that may have ended since it was read."""
    try:
        end(row, by=NAME)
    except ValueError:
        log.debug("%s had ended", row.pk)


def _active_automations(store: Any) -> list[QuerySet[Any]]:
    """The automations and rules of a store that are on."""
    return [
        model._default_manager.filter(owner=store, is_active=True)
        for model in (Automation, AutomationRule)
    ]


def _open_campaigns(store: Any) -> QuerySet[Campaign]:
    return Campaign.objects.filter(owner=store, status__in=OPEN_CAMPAIGN_STATUSES)


def _open_imports(store: Any) -> QuerySet[ContactImport]:
    return ContactImport.objects.filter(owner=store, status__in=OPEN_IMPORT_STATUSES)


def _unsent_batches(store: Any) -> QuerySet[Batch]:
    return Batch.objects.filter(owner=store, status__in=UNSENT_BATCH_STATUSES).order_by("pk")


def _apply_replies_and_erase_unheld_data(store: User) -> Counter[str]:
    """Erase what the declarations say is a store's; return how many rows of each table changed.

    Contacts under a legal hold or a restriction stay, with all that belongs to them.
    """
    replies.apply_received_replies()  # a STOP that waits would lose its number
    counts: Counter[str] = Counter()
    for declaration in held_rows.declarations_with_contacts_last():
        if not declaration.store or declaration.store == "pk" or declaration.kept_after_store:
            continue
        if declaration.on_erasure == OnErasure.KEEP:
            continue
        table = held_rows.model_of_declaration(declaration)._meta.db_table
        if count := _delete_or_empty_rows_in_chunks(
            declaration, _rows_without_held_or_restricted_contacts(declaration, store)
        ):
            counts[table] += count
    return counts


def _rows_without_held_or_restricted_contacts(
    declaration: PersonalData, store: User
) -> QuerySet[Any]:
    rows = _rows_of_store(declaration, store)
    if contact := declaration.found_by.contact:
        rows = rows.exclude(_is_held_or_restricted_q("" if contact == "pk" else f"{contact}__"))
    return rows


def _rows_of_store(declaration: PersonalData, store: User) -> QuerySet[Any]:
    model = held_rows.model_of_declaration(declaration)
    return model._default_manager.filter(**{declaration.store: store.pk}).order_by("pk")


def _is_held_or_restricted_q(contact: str) -> Q:
    """Contacts that an erasure leaves, by the lookup of the contact with its underscores."""
    return Q(**{f"{contact}legal_hold": True}) | Q(**{f"{contact}restricted_at__isnull": False})


def _delete_or_empty_rows_in_chunks(declaration: PersonalData, rows: QuerySet[Any]) -> int:
    """Delete or empty rows, a chunk in each transaction; return how many."""
    model = held_rows.model_of_declaration(declaration)
    is_deleted = declaration.on_erasure == OnErasure.DELETE or model is ImportFileChunk
    values = (
        {}
        if is_deleted
        else {
            name: erased_value_of_column(model, name, declaration.on_erasure)
            for name in held_rows.free_text_and_json_fields(declaration)
        }
    )
    if not is_deleted:
        rows = rows.filter(_has_any_unerased_value_q(model, values))
    changed, last_id = 0, 0
    while ids := list(rows.filter(pk__gt=last_id).values_list("pk", flat=True)[:CHUNK_ROWS]):
        with transaction.atomic():
            if model is Contact:
                delete_contacts(ids)
            elif is_deleted:
                model._default_manager.filter(pk__in=ids).delete()
            else:
                for name, value in values.items():
                    filled = model._default_manager.filter(
                        _has_unerased_value_q(model, name), pk__in=ids
                    )
                    filled.update(**{name: value})
        changed, last_id = changed + len(ids), ids[-1]
    return changed


def _has_any_unerased_value_q(model: type[models.Model], names: Any) -> Q:
    filled = Q(pk__in=[])
    for name in names:
        filled |= _has_unerased_value_q(model, name)
    return filled


def _has_unerased_value_q(model: type[models.Model], name: str) -> Q:
    """The rows whose column holds something that was not erased yet."""
    field = model._meta.get_field(name)
    if isinstance(field, models.JSONField):
        return Q(**{f"{name}__isnull": False}) & ~Q(**{name: {}})
    return Q(**{f"{name}__gt": ""}) & ~Q(**{f"{name}__startswith": "[erased"})


class _ZipStream:
    """A file for `zipfile` that is read as it is written."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        """What was written since the last time."""
        data, self.parts = b"".join(self.parts), []
        return data


def audit_and_iter_export_as_zip(store: User, *, by: User | AnonymousUser | str) -> Iterator[bytes]:
    """All that is declared of a store's customers, one CSV file a table, as the bytes of a zip.

    Writes an audit entry.
    """
    audit.write_entry("store's data exported", store, by=by, owner_id=store.pk)
    return _iter_zip(store)


def _iter_zip(store: User) -> Iterator[bytes]:
    stream = _ZipStream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for declaration in _one_declaration_per_exported_table():
            model = held_rows.model_of_declaration(declaration)
            columns = [field.attname for field in model._meta.concrete_fields]
            rows = _rows_of_store(declaration, store).values_list(*columns)
            with archive.open(f"{model._meta.db_table}.csv", "w", force_zip64=True) as file:
                file.write((BOM + csv_line_with_escaped_formulas(columns)).encode())
                for row in rows.iterator(chunk_size=CHUNK_ROWS):
                    file.write(
                        csv_line_with_escaped_formulas(map(_iso_or_json_if_needed, row)).encode()
                    )
                    if len(stream.parts) > CHUNK_ROWS // 10:
                        yield stream.take()
            yield stream.take()
    yield stream.take()


def _one_declaration_per_exported_table() -> list[PersonalData]:
    """One declaration for each table of the stores' customers, the files left out."""
    by_model = {
        one.model: one
        for one in registry.personal_data
        if one.store and one.subjects != Subjects.ACCOUNTS
    }
    return [
        one
        for one in by_model.values()
        if held_rows.model_of_declaration(one) not in (ImportFileChunk, ExportFileChunk)
    ]


def _iso_or_json_if_needed(value: Any) -> Any:
    """A value as a cell: times with their zone, what is nested as JSON."""
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def utc_day_of_erasure(days: int) -> date:
    """The day (UTC, by PostgreSQL's clock) so many days from now."""
    return database_now().date() + timedelta(days=days)
