"""Frames that the apps fill: home page, store page, health, metrics, watchdog, sidebar."""
