"""Jobs of the contact_import queue; each loads, calls and logs."""

from contacts.importing import files, lifecycle


def import_contacts(import_id: int) -> str:
    """Queue contact_import: read an uploaded customer list."""
    return lifecycle.run_open_import_unless_running(import_id).status


def delete_expired_import_files() -> int:
    """Queue contact_import: delete uploaded files that are past their period."""
    return files.delete_files_of_expired_imports()
