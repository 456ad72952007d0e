"""URLs of Mitto's webhooks and of the pages on which credits and money are recorded."""

from django.contrib import admin
from django.urls import URLPattern, path

from messaging import views, webhooks
from messaging.billing import pages

urlpatterns: list[URLPattern] = [
    *(
        path(f"webhooks/mitto/{name}{token}", webhooks.answer_webhook_through_django)
        for name in webhooks.ADDRESSES
        for token in ("", "/<str:token>")
    ),
    path(
        "admin/top-up/<int:pk>/",
        admin.site.admin_view(views.show_confirmation_or_top_up_wallet),
        name="top_up",
    ),
    *(
        path(f"admin/billing/{route}", admin.site.admin_view(view), name=name)
        for route, view, name in (
            ("store/<int:store_id>/purchase/", pages.purchase_page, "record_purchase"),
            ("store/<int:store_id>/plan/", pages.plan_payment_page, "record_plan_payment"),
            ("store/<int:store_id>/alert/", pages.alert_action, "low_balance_alert"),
            ("payment/<int:payment_id>/return/", pages.return_page, "return_payment"),
            ("payment/<int:payment_id>/invoice/", pages.issue_invoice_action, "issue_invoice"),
            ("dispute/<int:adjustment_id>/", pages.close_dispute_action, "close_dispute"),
            ("invoice/<int:invoice_id>/", pages.invoice_print_page, "invoice_print"),
        )
    ),
]
