"""Wallets, reservations and the ledger in the admin; topping up is in `messaging/views.py`."""

from __future__ import annotations

from django.contrib import admin

from astronote.common.admin_lists import ReadOnlyAdmin
from messaging.models import CreditReservation, CreditTransaction, Wallet


@admin.register(Wallet)
class WalletAdmin(ReadOnlyAdmin):
    list_display = ["owner", "balance", "reserved_balance", "available", "allowance_balance"]
    list_select_related = ["owner"]


@admin.register(CreditReservation)
class CreditReservationAdmin(ReadOnlyAdmin):
    list_display = ["batch_id", "owner", "status", "amount", "charged", "released", "expires_at"]
    list_filter = ["status"]
    list_select_related = ["owner"]


@admin.register(CreditTransaction)
class CreditTransactionAdmin(ReadOnlyAdmin):
    list_display = ["id", "owner", "type", "amount", "balance_after", "reason", "created_at"]
    list_filter = ["type"]
    list_select_related = ["owner"]
