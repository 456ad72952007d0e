"""Replies about which a person decides, and numbers of messages whose contact is gone."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('contacts', '0003_marketing_holds'),
        ('messaging', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ReplyReview',
            fields=[
            ],
            options={
                'verbose_name': 'reply to decide',
                'verbose_name_plural': 'replies to decide',
                'proxy': True,
                'indexes': [],
                'constraints': [],
            },
            bases=('messaging.webhookevent',),
        ),
        migrations.RemoveConstraint(
            model_name='webhookevent',
            name='webhookevent_status_known',
        ),
        migrations.AlterField(
            model_name='webhookevent',
            name='consent_request',
            field=models.CharField(blank=True, db_default='', help_text='what a reply asks for: stop, start; review until a person has decided', max_length=8),
        ),
        migrations.AlterField(
            model_name='webhookevent',
            name='status',
            field=models.CharField(choices=[('received', 'received: not yet applied'), ('processed', 'processed: applied'), ('review', 'for review: a person decides whether it is an opt-out'), ('unmatched', 'unmatched: it belongs to no message or contact'), ('failed', 'failed: it cannot be read')], default='received', max_length=12),
        ),
        migrations.AddIndex(
            model_name='directmessage',
            index=models.Index(condition=models.Q(('contact', None), models.Q(('to', ''), _negated=True)), fields=['to'], name='directmessage_no_contact'),
        ),
        migrations.AddIndex(
            model_name='webhookevent',
            index=models.Index(condition=models.Q(('status', 'review')), fields=['id'], name='webhookevent_review'),
        ),
        migrations.AddConstraint(
            model_name='webhookevent',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['received', 'processed', 'review', 'unmatched', 'failed'])), name='webhookevent_status_known'),
        ),
    ]
