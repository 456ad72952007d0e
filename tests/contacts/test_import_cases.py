"""Real exports with their right answers: none is read wrongly in silence, nearly all are read."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from contacts.importing import lifecycle
from contacts.importing.import_refused import ImportRefused
from contacts.models import OPEN_IMPORT_STATUSES, Contact, ContactImport, ImportStatus
from tests.support.factories import make_store

pytestmark = pytest.mark.django_db(transaction=True)

FOLDER = Path(__file__).parent.parent / "data" / "cases"
MIN_RIGHT_SHARE = 0.9


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["import", "exports", "consent", "values", "vendors"])
def test_no_export_is_read_wrongly_in_silence(folder):
    cases = json.loads((FOLDER / folder / "expected.json").read_bytes())
    verdicts: dict[str, str] = {}
    explanations: dict[str, str] = {}
    stores: dict[Any, Any] = {}
    for case in cases:
        key = case.get("same_store", case["file"])
        if key not in stores:
            stores[key] = make_store(f"store{len(stores)}", phone_region=case["region"])
        path = FOLDER / folder / "files" / case["file"]
        verdict, explanation = _verdict(case, path, stores[key])
        verdicts[case["file"]], explanations[case["file"]] = verdict, explanation
    counts = Counter(verdicts.values())
    report = "\n".join(
        f"{verdicts[name]:6} {name}: {text}"
        for name, text in explanations.items()
        if verdicts[name] != "right"
    )
    print(counts, report, sep="\n")
    assert not counts["wrong"] and not counts["open"], report
    assert counts["right"] >= MIN_RIGHT_SHARE * len(cases), report


def _verdict(case: dict[str, Any], path: Path, store: Any) -> tuple[str, str]:
    """`right`, `safe` (refused or rejected with a reason), `wrong`, or `open` (it never ended)."""
    known_before = set(Contact.objects.filter(owner=store).values_list("phone", flat=True))
    try:
        contact_import = lifecycle.create_import_and_enqueue_or_refuse(
            store.pk, path, consent_source=case["consent"]
        )
    except ImportRefused as error:
        contact_import = ContactImport(status=ImportStatus.FAILED, error=str(error))
    else:
        try:
            contact_import = lifecycle.run_open_import_unless_running(contact_import.pk)
        except Exception as error:  # noqa: BLE001 - an import that raises has not ended
            return "open", repr(error)[:200]
    if contact_import.status in OPEN_IMPORT_STATUSES:
        return "open", contact_import.status
    named = {phone for expected in case["expect"] for phone in expected.get("contacts", ())}
    stored = {
        contact.phone: {
            "first_name": contact.first_name,
            "last_name": contact.last_name,
            "email": contact.email,
            "gender": contact.gender,
            "birthday": contact.birthday.isoformat() if contact.birthday else None,
            "is_subscribed": contact.is_subscribed,
        }
        for contact in Contact.objects.filter(owner=store)
        if contact.phone not in known_before or contact.phone in named
    }
    differences = [_differences(expected, contact_import, stored) for expected in case["expect"]]
    if not all(differences):
        return "right", ""
    explanation = " | or ".join("; ".join(found) for found in differences)
    if contact_import.status == ImportStatus.FAILED:
        verdict = "safe" if contact_import.error else "wrong"
        return verdict, f"refused: {contact_import.error}"
    for expected in case["expect"]:
        if "contacts" in expected and _is_safe(expected["contacts"], contact_import, stored):
            return "safe", explanation
    return "wrong", explanation


def _differences(
    expected: dict[str, Any], contact_import: ContactImport, stored: dict[str, dict[str, Any]]
) -> list[str]:
    if "refused" in expected:
        if contact_import.status == ImportStatus.FAILED and contact_import.error:
            return []
        return [f"not refused ({expected['refused']}); stored {stored}"]
    if contact_import.status == ImportStatus.FAILED:
        return [f"refused: {contact_import.error}"]
    contacts = expected["contacts"]
    differences = [f"missing {phone}" for phone in contacts.keys() - stored.keys()]
    differences += [f"stored {phone}" for phone in stored.keys() - contacts.keys()]
    differences += [
        f"{phone} {name} {stored[phone][name]!r}, not {value!r}"
        for phone in contacts.keys() & stored.keys()
        for name, value in contacts[phone].items()
        if (stored[phone][name] or None) != (value or None)
    ]
    differences += [
        f"{name} {getattr(contact_import, name)}, not {expected[name]}"
        for name in ("rejected", "duplicate")
        if name in expected and getattr(contact_import, name) != expected[name]
    ]
    return differences


def _is_safe(
    contacts: dict[str, Any], contact_import: ContactImport, stored: dict[str, dict[str, Any]]
) -> bool:
    """Whether what is stored is right, and what is missing was rejected with a reason."""
    missing = contacts.keys() - stored.keys()
    return (
        stored.keys() <= contacts.keys()
        and len(missing) <= contact_import.rejected
        and all(
            (stored[phone][name] or None) == (value or None)
            for phone in stored
            for name, value in contacts[phone].items()
        )
    )
