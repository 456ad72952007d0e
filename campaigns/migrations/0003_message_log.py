"""The message log finds messages that were not delivered by batch, and those in no batch."""
from django.contrib.postgres.operations import AddIndexConcurrently
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False
    dependencies = [
        ('campaigns', '0002_message_fillfactor'),
        ('contacts', '0002_contact_search'),
        ('messaging', '0002_submission_counter_database_identity'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL("SET lock_timeout = 0", ""),
        AddIndexConcurrently(
            model_name='automationmessage',
            index=models.Index(condition=models.Q(('error_code', ''), _negated=True), fields=['batch', 'id'], name='automationmessage_log'),
        ),
        AddIndexConcurrently(
            model_name='automationmessage',
            index=models.Index(condition=models.Q(('batch', None)), fields=['created_at', 'id'], name='automationmessage_unsent'),
        ),
        AddIndexConcurrently(
            model_name='automationmessage',
            index=models.Index(condition=models.Q(('batch', None)), fields=['owner', 'created_at', 'id'], name='automationmessage_unsent_own'),
        ),
        AddIndexConcurrently(
            model_name='automationsend',
            index=models.Index(condition=models.Q(('error_code', ''), _negated=True), fields=['batch', 'id'], name='automationsend_log'),
        ),
        AddIndexConcurrently(
            model_name='automationsend',
            index=models.Index(condition=models.Q(('batch', None)), fields=['created_at', 'id'], name='automationsend_unsent'),
        ),
        AddIndexConcurrently(
            model_name='automationsend',
            index=models.Index(condition=models.Q(('batch', None)), fields=['owner', 'created_at', 'id'], name='automationsend_unsent_own'),
        ),
        AddIndexConcurrently(
            model_name='campaignmessage',
            index=models.Index(condition=models.Q(('error_code', ''), _negated=True), fields=['batch', 'id'], name='campaignmessage_log'),
        ),
        AddIndexConcurrently(
            model_name='campaignmessage',
            index=models.Index(condition=models.Q(('batch', None)), fields=['created_at', 'id'], name='campaignmessage_unsent'),
        ),
        AddIndexConcurrently(
            model_name='campaignmessage',
            index=models.Index(condition=models.Q(('batch', None)), fields=['owner', 'created_at', 'id'], name='campaignmessage_unsent_own'),
        ),
    ]
