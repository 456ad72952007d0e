"""The ground floor's lists in the admin."""

from astronote.admin import audit_trail, logins, operators, stores

__all__ = ["audit_trail", "logins", "operators", "stores"]
