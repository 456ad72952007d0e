"""The address of the unsubscribe link in messages."""

from django.urls import path

from compliance import views

urlpatterns = [path("u/<str:token>", views.unsubscribe_page, name="unsubscribe")]
