"""The app of campaigns, automations and their messages."""

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    """Campaigns, automations and their messages."""

    name = "campaigns"
    verbose_name = "Campaigns and automations"
