"""The addresses of the links in messages on which consent is withdrawn and confirmed."""

from django.urls import path

from compliance import views

urlpatterns = [
    path("u/<str:token>", views.unsubscribe_page, name="unsubscribe"),
    path("c/<str:token>", views.confirm_page, name="confirm_opt_in"),
]
