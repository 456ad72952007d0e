"""Find the numbers of messages whose contact is gone."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0002_message_fillfactor'),
        ('contacts', '0003_marketing_holds'),
        ('messaging', '0002_reply_reviews'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name='automationmessage',
            index=models.Index(condition=models.Q(('contact', None), models.Q(('to', ''), _negated=True)), fields=['to'], name='automationmessage_no_contact'),
        ),
        migrations.AddIndex(
            model_name='campaignmessage',
            index=models.Index(condition=models.Q(('contact', None), models.Q(('to', ''), _negated=True)), fields=['to'], name='campaignmessage_no_contact'),
        ),
    ]
