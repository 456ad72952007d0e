"""What is sent and when: campaigns, automations and their messages."""

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"
