"""Jobs of the contact_import queue; each loads, calls and logs."""

from contacts import csv_import


def import_contacts(import_id: int) -> str:
    """Queue contact_import: read an uploaded customer list."""
    return csv_import.run(import_id).status
