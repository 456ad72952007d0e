"""Operators' accounts: inviting, roles, disabling; each change is in the audit trail."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext

from astronote.accounts import roles, sessions
from astronote.accounts.models import Operator, User
from astronote.common import audit


@transaction.atomic
def create_operator_and_audit(
    email: str, role: str, *, by: User | AnonymousUser | str, password: str | None = None
) -> Operator:
    """Create an operator with a role; without a password, one that a link lets it set.

    Raises:
        ValidationError: if the address is not valid or known, or the password is weak.
    """
    account = cast("Operator", Operator.objects.create_user(email, password, is_staff=True))
    account.groups.add(roles.create_or_update_role_group(role))
    audit.write_entry("operator created", account, by=by, role=role)
    return account


def highest_role_or_superuser_or_empty(account: User) -> str:
    """The account's role; empty if it has none."""
    if account.is_superuser:
        return "superuser"
    names = {group.name for group in account.groups.all()}  # prefetched for lists
    return next((role for role in reversed(roles.ROLES) if role in names), "")


@transaction.atomic
def change_role(account: User, role: str, *, by: User | AnonymousUser | str) -> None:
    """Give the account this role and no other.

    Raises:
        ValidationError: if it is a superuser, whom no role limits, or the one who changes it.
    """
    _require_not_own_account(account, by)
    if account.is_superuser:
        raise ValidationError(gettext("A superuser has every permission, whatever its role."))
    before = highest_role_or_superuser_or_empty(account)
    if before != role:
        account.groups.set([roles.create_or_update_role_group(role)])
        audit.write_entry("role changed", account, by=by, role=role, before=before)


@transaction.atomic
def set_active(account: User, active: bool, *, by: User | AnonymousUser | str) -> None:
    """Disable the account, which ends its sessions, or enable it again.

    Raises:
        ValidationError: if it is the account of the one who disables it.
    """
    _require_not_own_account(account, by)
    if account.is_active == active:
        return
    account.is_active = active
    account.save(update_fields=["is_active"])
    if not active:
        sessions.end_sessions(account)
    action = "operator enabled" if active else "operator disabled"
    audit.write_entry(action, account, by=by)


def audit_address_change(account: User, *, by: User | AnonymousUser | str) -> None:
    """Write that the address with which the account logs in was changed."""
    audit.write_entry("operator's address changed", account, by=by)


@transaction.atomic
def end_one_or_all_sessions_and_audit(
    account: User, *, by: User | AnonymousUser | str, only_public_id: str | None = None
) -> int:
    """End one of the account's sessions, or all; return how many were ended."""
    if only_public_id is None:
        count = sessions.end_sessions(account)
    else:
        count = sessions.end_session(account, only_public_id)
    if count:
        audit.write_entry("sessions ended", account, by=by, count=count)
    return count


def may_change_operator_of_no_higher_rank(manager: User | AnonymousUser, account: User) -> bool:
    """Whether an administrator may change the account: only superusers change superusers."""
    return manager.has_perm("astronote.change_operator") and (
        manager.is_superuser or not account.is_superuser
    )


def _require_not_own_account(account: User, by: User | AnonymousUser | str) -> None:
    if isinstance(by, User) and by.pk == account.pk:
        raise ValidationError(gettext("Nobody changes the access of their own account."))
