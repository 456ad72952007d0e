"""Exports and their files."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0003_message_log'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ExportRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('content', models.CharField(choices=[('contacts', 'contacts'), ('messages', 'messages'), ('clicks', 'visits of offers'), ('ledger', 'ledger of credits')], max_length=12)),
                ('kind', models.CharField(choices=[('weekly', 'weekly'), ('on_demand', 'on demand')], default='on_demand', editable=False, max_length=12)),
                ('status', models.CharField(choices=[('pending', 'pending: waiting for a worker, or being written'), ('completed', 'completed'), ('failed', 'failed')], default='pending', editable=False, max_length=12)),
                ('range_start', models.DateField(blank=True, null=True, verbose_name='first day')),
                ('range_end', models.DateField(blank=True, null=True, verbose_name='last day')),
                ('attempts', models.SmallIntegerField(default=0, editable=False, help_text='How often a worker began to write it.')),
                ('lines', models.IntegerField(editable=False, null=True, verbose_name='rows')),
                ('file_size', models.BigIntegerField(editable=False, help_text='bytes', null=True, verbose_name='size')),
                ('error', models.CharField(blank=True, db_default='', editable=False, max_length=200)),
                ('started_at', models.DateTimeField(editable=False, null=True)),
                ('completed_at', models.DateTimeField(editable=False, null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='requested at')),
                ('owner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store')),
            ],
            options={
                'verbose_name': 'export',
            },
        ),
        migrations.CreateModel(
            name='ExportFileChunk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.IntegerField()),
                ('data', models.BinaryField()),
                ('export_run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='campaigns.exportrun')),
            ],
        ),
        migrations.AddIndex(
            model_name='exportrun',
            index=models.Index(fields=['owner', 'id'], name='exportrun_owner'),
        ),
        migrations.AddIndex(
            model_name='exportrun',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['id'], name='exportrun_pending'),
        ),
        migrations.AddConstraint(
            model_name='exportrun',
            constraint=models.CheckConstraint(condition=models.Q(('content__in', ['contacts', 'messages', 'clicks', 'ledger'])), name='exportrun_content_known'),
        ),
        migrations.AddConstraint(
            model_name='exportrun',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['weekly', 'on_demand'])), name='exportrun_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='exportrun',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'completed', 'failed'])), name='exportrun_status_known'),
        ),
        migrations.AddConstraint(
            model_name='exportrun',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'completed'), _negated=True), models.Q(('completed_at__isnull', False), ('file_size__isnull', False)), _connector='OR'), name='exportrun_completed_has_file'),
        ),
        migrations.AddConstraint(
            model_name='exportrun',
            constraint=models.UniqueConstraint(condition=models.Q(('kind', 'weekly')), fields=('owner', 'content', 'range_start'), name='exportrun_once_a_week'),
        ),
        migrations.AddConstraint(
            model_name='exportfilechunk',
            constraint=models.UniqueConstraint(fields=('export_run', 'number'), name='exportfilechunk_once'),
        ),
    ]
