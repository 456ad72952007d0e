"""Countries by their two-letter codes (ISO 3166)."""

from __future__ import annotations

# The member states of the European Union, in which one law of VAT holds (2006/112/EC).
EU_COUNTRIES = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT",
    "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip
