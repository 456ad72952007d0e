"""What an operator does with a campaign by a button, when it is offered, and what it asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from django import forms
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.common.store_clock import (
    ComesTwice,
    clock_time_with_zone_and_offset,
    local_to_aware,
)
from astronote.common.time_fields import LocalTimeField
from campaigns import actions, schedule, service_campaigns
from campaigns.models import (
    FINAL_CAMPAIGN_STATUSES,
    RUNNING_STATUSES,
    STARTABLE_STATUSES,
    Campaign,
    CampaignStatus,
)

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

STARTED_STATUSES = (*RUNNING_STATUSES, *FINAL_CAMPAIGN_STATUSES)


class CampaignAction(NamedTuple):
    """Something that an operator does with a campaign that has one of `statuses`.

    With a `confirmation` a page shows it and asks first; without one the button acts at once.
    `input_field` names what the operator has to enter: `at`, the time, or `to`, a number; the page
    itself enters `seen`. `sends` is whether it needs the permission for the campaign's message
    type, `offered` decides whether an account sees the button, and `preview` gives the campaign
    whose cost the page shows.
    """

    label: str | StrPromise
    function: Callable[..., Any]
    statuses: tuple[str, ...]
    success: str | StrPromise
    confirmation: str | StrPromise = ""
    input_field: str = ""
    shows_cost: bool = False
    style: str = ""
    sends: bool = False
    offered: Callable[[Campaign, Any], bool] | None = None
    preview: Callable[[Campaign], Campaign] | None = None


def may_send_campaign_type_if_action_sends(
    action: CampaignAction, campaign: Campaign, account: Any
) -> bool:
    """Whether the account may take the action on a campaign of this message type."""
    return not action.sends or service_campaigns.may_send_message_type(
        campaign.message_type, account
    )


def _has_open_confirmation_request_by_another(campaign: Campaign, account: Any) -> bool:
    """Whether the account is a second person for the confirmation that was asked for."""
    request = service_campaigns.confirmation_request_for_current_settings(campaign)
    return request is not None and not request.confirmed_by and request.asked_by != account


CAMPAIGN_ACTIONS = {
    "start": CampaignAction(
        _("Send now"),
        actions.start_now,
        STARTABLE_STATUSES,
        _("started"),
        _("Sending starts at once."),
        shows_cost=True,
        style="primary",
        sends=True,
    ),
    "schedule": CampaignAction(
        _("Schedule"),
        schedule.schedule_campaign,
        STARTABLE_STATUSES,
        _("scheduled"),
        _("Sending starts by itself at this time."),
        input_field="at",
        shows_cost=True,
        sends=True,
    ),
    "ask": CampaignAction(
        _("Ask for confirmation"),
        service_campaigns.ask_for_confirmation,
        STARTABLE_STATUSES,
        _("a second person must confirm it now"),
        sends=True,
        offered=lambda campaign, _: (
            service_campaigns.needs_confirmation(campaign)
            and service_campaigns.confirmation_request_for_current_settings(campaign) is None
        ),
    ),
    "confirm": CampaignAction(
        _("Confirm"),
        service_campaigns.confirm_campaign,
        STARTABLE_STATUSES,
        _("confirmed"),
        _(
            "A service message also goes to people who opted out of marketing. Confirm that this"
            " one holds no advertising and that all of these people need it. A change of the text"
            " or of the audience ends the confirmation."
        ),
        input_field="seen",
        shows_cost=True,
        sends=True,
        offered=_has_open_confirmation_request_by_another,
    ),
    "test": CampaignAction(
        _("Send a test"),
        actions.enqueue_test_message,
        STARTABLE_STATUSES,
        _("a test is on its way"),
        _("The text, filled with sample fields, is sent to one number. The store pays for it."),
        input_field="to",
    ),
    "unschedule": CampaignAction(
        _("Unschedule"),
        schedule.unschedule_campaign,
        (CampaignStatus.SCHEDULED,),
        _("a draft again"),
    ),
    "pause": CampaignAction(
        _("Pause"),
        actions.pause_campaign,
        (CampaignStatus.SENDING,),
        _("paused"),
    ),
    "resume": CampaignAction(
        _("Resume"),
        actions.resume_campaign,
        (CampaignStatus.PAUSED,),
        _("resumed"),
        style="primary",
    ),
    "cancel": CampaignAction(
        _("Cancel"),
        actions.cancel_campaign,
        (CampaignStatus.SCHEDULED, *RUNNING_STATUSES),
        _("cancelled"),
        _("Messages that were not sent are skipped and not charged. This cannot be undone."),
        style="danger",
    ),
    "duplicate": CampaignAction(
        _("Duplicate"),
        actions.duplicate_as_draft,
        tuple(CampaignStatus),
        _("copied"),
        sends=True,
    ),
    "not_reached": CampaignAction(
        _("Send to those not reached"),
        actions.get_or_create_draft_to_not_reached,
        FINAL_CAMPAIGN_STATUSES,
        _("a draft to those not reached; nothing is sent yet"),
        _(
            "A new draft with the same text goes to exactly those whose message failed, was"
            " skipped for something that may have changed, or is unknown and past its reservation,"
            " and who may be messaged. Nothing is sent before you start it."
        ),
        sends=True,
        preview=actions.build_copy_to_not_reached,
        offered=lambda campaign, _: bool(campaign.failed or campaign.skipped or campaign.unknown),
    ),
    "unknown_delivered": CampaignAction(
        _("Unknown: mark delivered"),
        actions.settle_unknown_as_delivered_and_charge,
        STARTED_STATUSES,
        _("its unknown messages are delivered"),
        _(
            "All unknown messages of the campaign are marked as delivered and charged. Look some of"
            " them up in Mitto's portal first. This cannot be undone."
        ),
        offered=lambda campaign, _: campaign.unknown > 0,
    ),
    "unknown_failed": CampaignAction(
        _("Unknown: mark failed"),
        actions.settle_unknown_as_failed,
        STARTED_STATUSES,
        _("its unknown messages have failed"),
        _(
            "All unknown messages of the campaign are marked as failed and their credits are"
            " released. Look some of them up in Mitto's portal first."
        ),
        offered=lambda campaign, _: campaign.unknown > 0,
    ),
    "unknown_resend": CampaignAction(
        _("Unknown: send again"),
        actions.resend_unknown,
        (*RUNNING_STATUSES, CampaignStatus.COMPLETED, CampaignStatus.FAILED),
        _("its unknown messages are sent again"),
        _(
            "All unknown messages of the campaign are sent again. Each person whose message Mitto"
            " did accept gets it twice: look some of them up in Mitto's portal first."
        ),
        sends=True,
        offered=lambda campaign, _: campaign.unknown > 0,
        style="danger",
    ),
}


class ActionForm(forms.Form):
    """What an action needs; `campaign` is what it is done with."""

    def __init__(self, data: Any = None, *, campaign: Campaign) -> None:
        super().__init__(data)
        self.campaign = campaign


class ScheduleForm(ActionForm):
    """The time at which a campaign starts, in the store's time zone.

    A time that the store's clocks show twice is asked about: the form has `reading` then.
    """

    at = LocalTimeField(label=_("At"))

    def clean(self) -> dict[str, Any]:
        """`at` as the moment that is meant."""
        at = self.cleaned_data.get("at")
        if at and at.tzinfo is None:
            try:
                self.cleaned_data["at"] = local_to_aware(at, self.campaign.owner.timezone)
            except ComesTwice as twice:
                self._take_chosen_reading_or_ask_which_of_two(twice)
            except ValueError as error:
                self.add_error("at", str(error))
        return self.cleaned_data

    def _take_chosen_reading_or_ask_which_of_two(self, twice: ComesTwice) -> None:
        """Take the reading that was chosen; without one, offer both."""
        readings = {reading.isoformat(): reading for reading in twice.readings}
        labels = (gettext("the first, %(time)s"), gettext("the second, %(time)s"))
        self.fields["reading"] = forms.ChoiceField(
            label=gettext("Which of the two"),
            widget=forms.RadioSelect,
            choices=[
                (value, label % {"time": clock_time_with_zone_and_offset(reading)})
                for label, (value, reading) in zip(labels, readings.items(), strict=True)
            ],
        )
        if chosen := readings.get(self.data.get("reading", "")):
            self.cleaned_data["at"] = chosen
        else:
            zone = self.campaign.owner.timezone
            self.add_error(
                "at",
                gettext("%(time)s comes twice in %(zone)s, where clocks go back: choose which")
                % {"time": date_format(twice.readings[0], "j M Y, H:i"), "zone": zone},
            )


class TestForm(ActionForm):
    """The number that gets a test."""

    to = forms.CharField(label=_("Number"), max_length=40, widget=forms.TextInput({"type": "tel"}))


class SettingsDigestForm(ActionForm):
    """The digest of the text and audience that the page shows, so that no other is confirmed."""

    seen = forms.CharField(label="", widget=forms.HiddenInput)

    def get_initial_for_field(self, field: forms.Field, field_name: str) -> str:
        """What the campaign has when the page is shown."""
        return service_campaigns.settings_digest(self.campaign)


INPUT_FORMS: dict[str, type[ActionForm]] = {
    "at": ScheduleForm,
    "to": TestForm,
    "seen": SettingsDigestForm,
}
