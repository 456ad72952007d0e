"""How the admin looks and what its sidebar leads to."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.functional import lazy


def _list(title: str, icon: str, app: str, model: str, query: str = "") -> dict[str, Any]:
    """An entry of the sidebar, for those who may see the list."""
    address = reverse_lazy(f"admin:{app}_{model}_changelist")
    return {
        "title": title,
        "icon": icon,
        "link": lazy(lambda: f"{address}{query}", str)(),
        "permission": lambda request: request.user.has_perm(f"{app}.view_{model}"),
    }


def _group(title: str, *items: dict[str, Any], closed: bool = False) -> dict[str, Any]:
    return {"title": title, "separator": True, "collapsible": closed, "items": list(items)}


UNFOLD = {
    "SITE_TITLE": "Astronote",
    "SITE_HEADER": "Astronote",
    "SITE_SYMBOL": "rocket_launch",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("astronote/favicon.svg")}
    ],
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "astronote.home.dashboard",
    "STYLES": [lambda _: static("astronote/admin.css")],
    "SCRIPTS": [lambda _: static("astronote/admin.js")],
    "COLORS": {
        # Teal, dark enough for white text on 600.
        "primary": {
            "50": "oklch(98.4% .014 180.72)",
            "100": "oklch(95.3% .051 180.801)",
            "200": "oklch(91% .096 180.426)",
            "300": "oklch(85.5% .138 181.071)",
            "400": "oklch(77.7% .152 181.912)",
            "500": "oklch(60% .11 184.704)",
            "600": "oklch(51.1% .096 186.391)",
            "700": "oklch(43.7% .078 188.216)",
            "800": "oklch(38.6% .063 188.416)",
            "900": "oklch(27.7% .046 192.524)",
            "950": "oklch(20% .035 192.524)",
        }
    },
    "SIDEBAR": {
        "navigation": [
            {
                "items": [
                    {"title": "Home", "icon": "home", "link": reverse_lazy("admin:index")},
                    _list("Campaigns", "campaign", "campaigns", "campaign"),
                    _list("Contacts", "person", "contacts", "contact"),
                    _list("Imports", "upload_file", "contacts", "contactimport"),
                    _list("Stores", "storefront", "astronote", "user", "?is_staff__exact=0"),
                ]
            },
            _group(
                "Messages",
                _list("Of campaigns", "sms", "campaigns", "campaignmessage"),
                _list("Of automations", "cake", "campaigns", "automationmessage"),
                _list("Tests", "science", "messaging", "directmessage"),
                _list("Batches", "stacks", "messaging", "batch"),
                _list("Replies and receipts", "forum", "messaging", "webhookevent"),
            ),
            _group(
                "Money",
                _list("Wallets", "account_balance_wallet", "messaging", "wallet"),
                _list("Ledger", "receipt_long", "messaging", "credittransaction"),
                _list("Reservations", "lock_clock", "messaging", "creditreservation"),
            ),
            _group(
                "Privacy and proof",
                _list("Consent", "how_to_reg", "contacts", "consentevent"),
                _list("Suppressions", "block", "contacts", "suppression"),
                {
                    "title": "What is held",
                    "icon": "inventory_2",
                    "link": reverse_lazy("admin:personal_data"),
                    "permission": lambda request: request.user.has_perm(
                        "compliance.view_retentionrun"
                    ),
                },
                _list("Retention runs", "auto_delete", "compliance", "retentionrun"),
                _list("What was removed", "delete_history", "compliance", "retentionaction"),
                _list("Audit trail", "history", "contacts", "auditentry"),
            ),
            _group(
                "More",
                _list("Automations", "bolt", "campaigns", "automation"),
                _list("Lists", "list", "contacts", "list"),
                _list("Templates", "draft", "messaging", "messagetemplate"),
                _list("Short links", "link", "messaging", "shortlink"),
                _list("Offers seen", "visibility", "campaigns", "offerviewevent"),
                _list("NFC tags", "nfc", "campaigns", "nfctag"),
                _list("NFC scans", "contactless", "campaigns", "nfcscan"),
                _list("Conversions", "shopping_bag", "campaigns", "conversionevent"),
                _list("Redemptions", "redeem", "campaigns", "redemption"),
                _list("Operators", "badge", "astronote", "user", "?is_staff__exact=1"),
                {
                    "title": "Queues",
                    "icon": "queue",
                    "link": "/admin/django_rq/dashboard/",
                    "permission": lambda request: request.user.has_perm("django_rq.admin"),
                },
                closed=True,
            ),
        ],
    },
}
