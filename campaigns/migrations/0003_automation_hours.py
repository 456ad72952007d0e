"""Birthday messages have an hour, and know the last local day that was done and why they wait."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0002_message_fillfactor'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveField(
            model_name='automation',
            name='last_run_at',
        ),
        migrations.AddField(
            model_name='automation',
            name='block_reason',
            field=models.CharField(blank=True, db_default='', editable=False, help_text='why messages wait', max_length=200),
        ),
        migrations.AddField(
            model_name='automation',
            name='done_until',
            field=models.DateField(editable=False, help_text='the last local day whose birthday messages were written', null=True),
        ),
        migrations.AddField(
            model_name='automation',
            name='send_hour',
            field=models.PositiveSmallIntegerField(blank=True, choices=[(0, '00:00'), (1, '01:00'), (2, '02:00'), (3, '03:00'), (4, '04:00'), (5, '05:00'), (6, '06:00'), (7, '07:00'), (8, '08:00'), (9, '09:00'), (10, '10:00'), (11, '11:00'), (12, '12:00'), (13, '13:00'), (14, '14:00'), (15, '15:00'), (16, '16:00'), (17, '17:00'), (18, '18:00'), (19, '19:00'), (20, '20:00'), (21, '21:00'), (22, '22:00'), (23, '23:00')], help_text="From when on the day's birthday messages are sent, on the store's clock; empty: 10:00, or BIRTHDAY_AUTOMATION_CRON.", null=True, verbose_name='hour'),
        ),
        migrations.AddConstraint(
            model_name='automation',
            constraint=models.CheckConstraint(condition=models.Q(('send_hour__lt', 24)), name='automation_hour_of_a_day'),
        ),
    ]
