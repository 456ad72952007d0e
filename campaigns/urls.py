"""The addresses of short links."""

from django.urls import path

from campaigns import views

urlpatterns = [path("s/<str:code>", views.follow_link, name="short-link")]
