"""Wallets, reservations and the ledger in the admin; topping up is in `messaging/views.py`."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from astronote.common.admin_lists import ReadOnlyAdmin
from astronote.common.counts import format_count
from messaging.models import CreditReservation, CreditTransaction, Wallet


@admin.register(Wallet)
class WalletAdmin(ReadOnlyAdmin):
    list_display = ["owner", "balance", "reserved_balance", "available", "allowance_balance"]
    list_select_related = ["owner"]

    @admin.display(description=_("available"))
    def available(self, wallet: Wallet) -> str:
        return format_count(wallet.available)


@admin.register(CreditReservation)
class CreditReservationAdmin(ReadOnlyAdmin):
    list_display = [
        "batch_number",
        "owner",
        "status",
        "amount",
        "charged",
        "released",
        "expires_at",
    ]
    list_filter = ["status"]
    list_select_related = ["owner"]

    @admin.display(description=_("batch id"), ordering="batch_id")
    def batch_number(self, reservation: CreditReservation) -> int:
        return reservation.batch_id


@admin.register(CreditTransaction)
class CreditTransactionAdmin(ReadOnlyAdmin):
    list_display = ["id", "owner", "type", "amount", "balance_after", "reason", "created_at"]
    list_filter = ["type"]
    list_select_related = ["owner"]
