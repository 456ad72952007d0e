"""The addresses of short links."""

from django.urls import path

from campaigns import views

urlpatterns = [
    path("s/<str:code>", views.redirect_to_link_target_and_count_visit, name="short-link")
]
