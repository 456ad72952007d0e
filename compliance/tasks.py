"""Jobs of the pii_retention queue; each loads, calls and logs."""

from compliance import retention


def run_pii_retention() -> dict[str, int]:
    """Queue pii_retention: remove personal data that is past its period."""
    return retention.run_retention().counts
