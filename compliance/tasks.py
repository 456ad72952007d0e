"""Jobs of the pii_retention queue; each loads, calls and logs."""

from compliance import off_boarding, retention


def run_pii_retention() -> dict[str, int]:
    """Queue pii_retention: remove personal data that is past its period."""
    off_boarding.continue_off_boardings()
    return retention.run_retention_or_raise_if_running().counts


def continue_off_boarding(store_id: int) -> dict[str, int]:
    """Queue pii_retention: end what is open of a store that has left, and erase what is due."""
    return off_boarding.end_open_work_and_erase_data_if_due(store_id)
