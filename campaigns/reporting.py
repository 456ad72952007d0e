"""What a campaign has come to, for commands and the demo."""

from django.db.models import Sum

from campaigns.models import Campaign, CampaignMessage
from messaging.models import Batch, CreditTransaction


def report(campaign: Campaign) -> dict:
    """The campaign's state, counts by status and credits charged."""
    batches = Batch.objects.filter(kind=CampaignMessage.batch_kind, source_id=campaign.pk)
    debits = CreditTransaction.objects.filter(batch__in=batches, type="debit")
    return {
        "id": campaign.pk,
        "name": campaign.name,
        "status": campaign.status,
        "block_reason": campaign.block_reason,
        **{
            name: getattr(campaign, name)
            for name in (
                "total", "queued", "sent", "delivered", "failed", "skipped", "unknown",
            )
        },
        "credits": debits.aggregate(Sum("amount"))["amount__sum"] or 0,
    }  # fmt: skip
