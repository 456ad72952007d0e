"""The app of campaigns, automations and their messages."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    """Campaigns, automations and their messages."""

    name = "campaigns"
    verbose_name = _("Campaigns and automations")
