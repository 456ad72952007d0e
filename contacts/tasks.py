"""Jobs of the contact_import queue; each loads, calls and logs."""

from contacts.importing import files, run


def import_contacts(import_id: int) -> str:
    """Queue contact_import: read an uploaded customer list."""
    return run.run(import_id).status


def delete_import_files() -> int:
    """Queue contact_import: delete uploaded files after their time."""
    return files.delete_old()
