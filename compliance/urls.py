"""The addresses of the links in messages on which consent is withdrawn and confirmed.

The pages of the admin on which a store is off-boarded are here, too.
"""

from django.contrib import admin
from django.urls import path

from compliance import off_boarding_pages, views

urlpatterns = [
    path("u/<str:token>", views.unsubscribe_page, name="unsubscribe"),
    path("u/<str:token>/", views.unsubscribe_page),
    path("c/<str:token>", views.show_or_store_opt_in_confirmation_page, name="confirm_opt_in"),
    path(
        "admin/store/<int:pk>/off-board/",
        admin.site.admin_view(off_boarding_pages.off_board_page),
        name="off_board_store",
    ),
    path(
        "admin/store/<int:pk>/take-back/",
        admin.site.admin_view(off_boarding_pages.take_back_action),
        name="take_back_store",
    ),
    path(
        "admin/store/<int:pk>/export/",
        admin.site.admin_view(off_boarding_pages.export_store_customers_as_zip_action),
        name="export_store",
    ),
]
