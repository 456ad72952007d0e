"""What the compliance app registers: retention, its pages, and actions of a contact's page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from astronote.operations import registry
from astronote.operations.registry import (
    RecurringJob,
    RecurringJobs,
    Repair,
    RunNow,
    SidebarLink,
    StorePanel,
)
from compliance import contact_consent, contact_rights, off_boarding, off_boarding_pages, retention
from compliance.models import table_in_words
from contacts.contact_page import (
    ContactAction,
    ContactErasure,
    contact_actions,
    contact_erasures,
)


def _recurring_jobs() -> Iterator[RecurringJob]:
    yield RecurringJob(
        "pii_retention",
        "pii_retention",
        "compliance.tasks.run_pii_retention",
        cron=settings.PII_RETENTION_CRON,
        on_start=settings.RUN_PII_RETENTION_ON_START,
        run_now=RunNow(
            "compliance.delete_retentionrun",
            _("It would remove personal data that is past its period, for good."),
            _preview_retention,
        ),
    )


def _preview_retention() -> dict[str, int]:
    counts: Counter[str] = Counter()
    for table, count in retention.run_retention_or_raise_if_running(dry_run=True).counts.items():
        counts[table_in_words(table)] += count
    return dict(counts)


registry.recurring_jobs.register(RecurringJobs("compliance", _recurring_jobs))
registry.repairs.register(
    Repair(
        "work_of_left_stores_ended",
        off_boarding.end_open_work_of_left_stores,
        _("work of left stores ended"),
    )
)
registry.store_panels.register(
    StorePanel(
        "off-boarding",
        "compliance/off_boarding_panel.html",
        off_boarding_pages.may_off_board_context,
        90,
    )
)
contact_actions.register(
    ContactAction(
        "record_consent",
        _("Record a consent"),
        _("Record a consent of one of them"),
        "change",
        contact_consent.ask_proof_and_record_consent_of_one_contact_action,
    ),
    ContactAction(
        "ask_for_consent",
        _("Ask for consent by SMS"),
        _("Ask them for consent by SMS"),
        "change",
        contact_consent.send_opt_in_requests_action,
    ),
    ContactAction(
        "opt_out_of_marketing",
        _("Opt out of marketing"),
        _("Opt them out of marketing"),
        "change",
        contact_consent.marketing_opt_out_action,
    ),
    ContactAction(
        "opt_out_of_service",
        _("Opt out of service messages"),
        _("Opt them out of service messages"),
        "change",
        contact_consent.service_opt_out_action,
    ),
    ContactAction(
        "show_person",
        _("Show personal data"),
        _("Show their personal data"),
        "change",
        contact_rights.show_held_data_and_audit_action,
    ),
    ContactAction(
        "export_person",
        _("Export personal data"),
        _("Export their personal data"),
        "change",
        contact_rights.export_persons_as_zip_and_audit_action,
    ),
    ContactAction(
        "object_for_person",
        _("Opt out of all messages"),
        _("Opt them out of all messages"),
        "change",
        contact_rights.withdraw_all_consent_action,
    ),
    ContactAction(
        "restrict_person",
        _("Restrict"),
        _("Restrict their data (GDPR, article 18)"),
        "change",
        contact_rights.ask_reason_and_restrict_action,
        applies=lambda contact: contact.restricted_at is None,
    ),
    ContactAction(
        "lift_restriction",
        _("Lift the restriction"),
        _("Lift their restriction"),
        "change",
        contact_rights.lift_restrictions_action,
        applies=lambda contact: contact.restricted_at is not None,
    ),
    ContactAction(
        "erase_or_restrict_person",
        _("Erase"),
        _("Erase them"),
        "delete",
        contact_rights.confirm_then_erase_or_restrict_held_action,
        style="danger",
    ),
)
contact_erasures.register(ContactErasure("person", contact_rights.erase_or_restrict_contact))
registry.sidebar_links.register(
    SidebarLink(
        _("Privacy and proof"),
        _("Record of processing"),
        "inventory_2",
        "admin:personal_data",
        "compliance.view_retentionrun",
        320,
    ),
    SidebarLink.to_admin_changelist(
        _("Privacy and proof"), _("Retention runs"), "auto_delete", "compliance.retentionrun", 330
    ),
    SidebarLink.to_admin_changelist(
        _("Privacy and proof"),
        _("Retention actions"),
        "delete_history",
        "compliance.retentionaction",
        340,
    ),
)
