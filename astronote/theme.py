"""How the admin looks."""

from __future__ import annotations

from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

UNFOLD = {
    "SITE_TITLE": "Astronote",
    "SITE_HEADER": "Astronote",
    "SITE_SYMBOL": "rocket_launch",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("astronote/favicon.svg")}
    ],
    "SITE_URL": None,  # there is no other site to return to
    "SHOW_VIEW_ON_SITE": False,
    "COMMAND": {"search_callback": "astronote.operations.search_everywhere.search"},
    "DASHBOARD_CALLBACK": "astronote.operations.home.add_panels_to_index_context_if_permitted",
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
    "ACCOUNT": {"navigation": [{"title": _("Your account"), "link": lambda _: reverse("account")}]},
    "SIDEBAR": {
        "navigation": "astronote.operations.sidebar.build_all_sidebar_sections",
        "show_search": True,
        "command_search": True,
    },
}
