"""Addresses in messages that concern a customer's rights."""

from django.urls import path

from compliance import views

urlpatterns = [path("u/<str:token>", views.unsubscribe_page, name="unsubscribe")]
