"""The ground floor's lists in the admin."""

from astronote.admin import audit_trail, stores

__all__ = ["audit_trail", "stores"]
