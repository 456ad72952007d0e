"""The project itself: the store's account, queues, timetable and servers."""

from django.apps import AppConfig


class AstronoteConfig(AppConfig):
    name = "astronote"
    verbose_name = "Stores"
