"""The ground floor's models, where Django looks for them."""

from astronote.accounts.models import BusinessProfile, Operator, SubscriptionStatus, User
from astronote.accounts.sessions import Session
from astronote.common.audit import AuditEntry

__all__ = ["AuditEntry", "BusinessProfile", "Operator", "Session", "SubscriptionStatus", "User"]
