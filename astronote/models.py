"""The ground floor's models, where Django looks for them."""

from astronote.accounts.models import BusinessProfile, SubscriptionStatus, User
from astronote.common.audit import AuditEntry

__all__ = ["AuditEntry", "BusinessProfile", "SubscriptionStatus", "User"]
