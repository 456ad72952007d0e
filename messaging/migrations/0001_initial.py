import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('astronote', '__first__'),
        ('contacts', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='SubmissionCounter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.BigIntegerField()),
                ('database_identity', models.CharField(blank=True, db_default='', help_text='where it was counted: server, timeline, database and table', max_length=100)),
            ],
        ),
        migrations.CreateModel(
            name='Batch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=20, verbose_name='messages of')),
                ('source_id', models.BigIntegerField(blank=True, null=True, verbose_name='campaign or automation')),
                ('message_type', models.CharField(choices=[('marketing', 'Marketing'), ('service', 'Service')], default='marketing', max_length=20)),
                ('sender', models.CharField(max_length=16)),
                ('size', models.IntegerField(verbose_name='messages')),
                ('status', models.CharField(choices=[('pending', 'pending: waiting for a worker'), ('claimed', 'claimed: a worker is preparing it, nothing is sent yet'), ('submitting', 'submitting: the call to Mitto may be under way'), ('settled', 'settled: every message has an outcome'), ('cancelled', 'cancelled: never sent')], default='pending', max_length=20)),
                ('turn', models.BigIntegerField(default=0, help_text='the lowest due turn is sent first; each batch of a campaign has its own turn')),
                ('claim_token', models.UUIDField(blank=True, null=True)),
                ('claimed_at', models.DateTimeField(blank=True, null=True)),
                ('not_before', models.DateTimeField(blank=True, null=True, verbose_name='not before')),
                ('waiting_for', models.CharField(blank=True, db_default='', max_length=200)),
                ('attempts', models.IntegerField(default=0, help_text='calls that may have reached Mitto')),
                ('deferrals', models.IntegerField(default=0, help_text='calls that Mitto did not accept and that were repeated later', verbose_name='calls repeated')),
                ('halved_from', models.BigIntegerField(blank=True, help_text='the batch of whose messages it is a part, because Mitto refused them together', null=True, verbose_name='half of')),
                ('probe_of', models.BigIntegerField(blank=True, help_text='the batch that its message was taken from to be a probe', null=True, verbose_name='probe of')),
                ('provider_bulk_id', models.CharField(blank=True, max_length=64, null=True, verbose_name="Mitto's bulk ID")),
                ('error', models.CharField(blank=True, db_default='', max_length=500)),
                ('submitted_at', models.DateTimeField(blank=True, help_text='time of the last call to Mitto', null=True, verbose_name='last call at')),
                ('settled_at', models.DateTimeField(blank=True, null=True, verbose_name='settled at')),
                ('awaiting', models.IntegerField(db_default=0, default=0, help_text='messages that are sent and have no final receipt', verbose_name='without a final receipt')),
                ('checked_at', models.DateTimeField(blank=True, help_text='time of the last status query for them', null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('owner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store')),
            ],
            options={
                'verbose_name_plural': 'batches',
                'indexes': [models.Index(fields=['kind', 'source_id'], name='batch_source'), models.Index(fields=['owner', 'submitted_at'], name='batch_submitted'), models.Index(condition=models.Q(('status', 'pending')), fields=['turn', 'id'], name='batch_waiting'), models.Index(condition=models.Q(('status__in', ['claimed', 'submitting'])), fields=['claimed_at'], name='batch_in_flight'), models.Index(condition=models.Q(('awaiting__gt', 0)), fields=['checked_at'], name='batch_awaiting'), models.Index(fields=['settled_at'], name='batch_settled'), models.Index(condition=models.Q(('halved_from__isnull', False)), fields=['halved_from'], name='batch_halved_from')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'claimed', 'submitting', 'settled', 'cancelled'])), name='batch_status_known'), models.CheckConstraint(condition=models.Q(('message_type__in', ['marketing', 'service'])), name='batch_message_type_known'), models.CheckConstraint(condition=models.Q(('size__gt', 0)), name='batch_has_messages')],
            },
        ),
        migrations.CreateModel(
            name='CreditReservation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount', models.IntegerField(verbose_name='held at first')),
                ('charged', models.IntegerField(default=0)),
                ('released', models.IntegerField(default=0)),
                ('status', models.CharField(choices=[('reserved', 'reserved: part of it is still held'), ('committed', 'committed: nothing is held, some was charged'), ('released', 'released: nothing is held, nothing was charged'), ('expired', 'expired: what was still held was released')], default='reserved', max_length=12)),
                ('reserved_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('expires_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('batch', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, to='messaging.batch')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('status', 'reserved')), fields=['expires_at'], name='creditreservation_open')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['reserved', 'committed', 'released', 'expired'])), name='creditreservation_status_known'), models.CheckConstraint(condition=models.Q(('amount__gte', django.db.models.expressions.CombinedExpression(models.F('charged'), '+', models.F('released'))), ('charged__gte', 0), ('released__gte', 0)), name='creditreservation_within_amount')],
            },
        ),
        migrations.CreateModel(
            name='CreditTransaction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('type', models.CharField(choices=[('credit', 'credit: added'), ('debit', 'debit: messages charged'), ('refund', 'refund: given back')], max_length=8, verbose_name='kind')),
                ('amount', models.PositiveBigIntegerField(verbose_name='credits')),
                ('balance_after', models.BigIntegerField(verbose_name='balance after')),
                ('reason', models.CharField(max_length=200)),
                ('idempotency_key', models.CharField(max_length=128, unique=True, verbose_name='key')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='at')),
                ('batch', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to='messaging.batch')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('type__in', ['credit', 'debit', 'refund'])), name='credittransaction_type_known')],
            },
        ),
        migrations.CreateModel(
            name='DirectMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('to', models.CharField(max_length=16, verbose_name='number')),
                ('text', models.TextField()),
                ('segments', models.SmallIntegerField(help_text='SMS parts, each one credit', verbose_name='SMS parts')),
                ('tracking_id', models.CharField(max_length=16, verbose_name='tracking ID')),
                ('status', models.CharField(choices=[('queued', 'queued: waiting in its batch'), ('sent', 'sent: Mitto accepted it'), ('delivered', 'delivered: a receipt says so'), ('failed', 'failed: refused by Mitto, or not delivered'), ('skipped', 'skipped: not sent, for the reason given'), ('unknown', 'unknown: Mitto did not answer, and it is not sent again')], default='queued', max_length=12)),
                ('provider_message_id', models.CharField(blank=True, max_length=64, null=True, verbose_name="Mitto's message ID")),
                ('delivery_status', models.CharField(blank=True, db_default='', help_text="the provider's status", max_length=40, verbose_name="Mitto's status")),
                ('delivery_status_at', models.DateTimeField(blank=True, help_text="the provider's time of that status", null=True, verbose_name="time of Mitto's status")),
                ('delivery_last_checked_at', models.DateTimeField(blank=True, null=True, verbose_name='last asked Mitto at')),
                ('error_code', models.CharField(blank=True, db_default='', help_text='why it failed, was skipped or is unknown', max_length=40, verbose_name='reason')),
                ('last_error', models.CharField(blank=True, db_default='', max_length=500, verbose_name="Mitto's words")),
                ('sent_at', models.DateTimeField(blank=True, help_text="when Mitto's acceptance was recorded", null=True, verbose_name='accepted at')),
                ('delivered_at', models.DateTimeField(blank=True, help_text="by Mitto's clock", null=True)),
                ('failed_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('idempotency_key', models.CharField(max_length=128, verbose_name='key')),
                ('batch', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.CASCADE, to='messaging.batch')),
                ('contact', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to='contacts.contact')),
                ('owner', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store')),
            ],
            options={
                'abstract': False,
                'indexes': [models.Index(condition=models.Q(('error_code', ''), _negated=True), fields=['id'], name='directmessage_trouble'), models.Index(condition=models.Q(('contact', None), models.Q(('to', ''), _negated=True)), fields=['to'], name='directmessage_no_contact')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['queued', 'sent', 'delivered', 'failed', 'skipped', 'unknown'])), name='directmessage_status_known'), models.CheckConstraint(condition=models.Q(('segments__gt', 0)), name='directmessage_has_parts'), models.UniqueConstraint(fields=('tracking_id',), name='directmessage_tracking_id_once'), models.UniqueConstraint(condition=models.Q(('provider_message_id__isnull', False)), fields=('provider_message_id',), name='directmessage_provider_id_once'), models.UniqueConstraint(fields=('owner', 'idempotency_key'), name='directmessage_once')],
            },
        ),
        migrations.CreateModel(
            name='MessageTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=160)),
                ('text', models.TextField(max_length=2000)),
                ('category', models.CharField(choices=[('generic', 'any business'), ('cafe', 'café'), ('restaurant', 'restaurant'), ('gym', 'gym'), ('sports_club', 'sports club'), ('hotels', 'hotel')], default='generic', max_length=20)),
                ('goal', models.CharField(blank=True, db_default='', help_text='What a message with it is to reach.', max_length=200)),
                ('language', models.CharField(choices=[('en', 'English'), ('el', 'Greek'), ('de', 'German'), ('fr', 'French'), ('es', 'Spanish'), ('it', 'Italian')], default='en', max_length=2)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('owner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('category__in', ['generic', 'cafe', 'restaurant', 'gym', 'sports_club', 'hotels'])), name='messagetemplate_category_known'), models.CheckConstraint(condition=models.Q(('language__in', ['en', 'el', 'de', 'fr', 'es', 'it'])), name='messagetemplate_language_known'), models.UniqueConstraint(fields=('owner', 'name'), name='messagetemplate_name_once')],
            },
        ),
        migrations.CreateModel(
            name='SendingState',
            fields=[
                ('id', models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('refused_calls', models.IntegerField(db_default=0, default=0, help_text='calls that Mitto refused since it last accepted one')),
                ('refused_at', models.DateTimeField(help_text='when Mitto last refused a call', null=True)),
                ('resumed_at', models.DateTimeField(help_text='when sending last went on after a stop', null=True)),
            ],
            options={
                'verbose_name': 'sending',
                'verbose_name_plural': 'sending',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='sendingstate_one_row')],
            },
        ),
        migrations.CreateModel(
            name='SendingStop',
            fields=[
                ('reason', models.CharField(choices=[('account_refused', 'Mitto refuses the account, or most messages'), ('database_older', 'PostgreSQL is older than what was sent: a backup was restored, or a replica took over'), ('restored', 'a backup was restored; a person has to let sending go on'), ('mismatched_ids', "Mitto's message IDs belong to other messages than those that we know them for")], max_length=20, primary_key=True, serialize=False)),
                ('since', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('by', models.CharField(help_text="an account's id, or a program", max_length=80)),
                ('details', models.CharField(blank=True, db_default='', max_length=500)),
                ('probes', models.IntegerField(db_default=0, default=0, help_text='probes since then that Mitto did not accept')),
                ('next_probe_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('reason__in', ['account_refused', 'database_older', 'restored', 'mismatched_ids'])), name='sendingstop_reason_known')],
            },
        ),
        migrations.CreateModel(
            name='ShortLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('short_code', models.CharField(max_length=16, unique=True, verbose_name='code')),
                ('kind', models.CharField(default='message', max_length=20)),
                ('target_url', models.TextField(verbose_name='leads to')),
                ('long_url_hash', models.CharField(max_length=64, verbose_name='hash of the address')),
                ('campaign_id', models.BigIntegerField(blank=True, help_text='the campaign whose text has the link; empty for automations', null=True, verbose_name='campaign')),
                ('click_count', models.IntegerField(default=0, verbose_name='visits')),
                ('last_clicked_at', models.DateTimeField(blank=True, null=True, verbose_name='last visit')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('owner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store')),
            ],
            options={
                'indexes': [models.Index(fields=['campaign_id'], name='shortlink_campaign')],
                'constraints': [models.UniqueConstraint(fields=('owner', 'kind', 'long_url_hash', 'campaign_id'), name='shortlink_once_per_target', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=20)),
                ('source_id', models.BigIntegerField(blank=True, null=True)),
                ('slot', models.DateTimeField(help_text='start of the five minutes')),
                ('event', models.CharField(choices=[('accepted', 'accepted by Mitto'), ('delivered', 'delivered'), ('failed', 'failed'), ('skipped', 'skipped'), ('opted_out', 'opted out')], max_length=12)),
                ('detail', models.CharField(blank=True, db_default='', max_length=40)),
                ('count', models.IntegerField()),
                ('owner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'tallies',
                'indexes': [models.Index(fields=['owner', 'slot'], name='tally_of_store'), models.Index(fields=['slot'], name='tally_slot')],
                'constraints': [models.CheckConstraint(condition=models.Q(('event__in', ['accepted', 'delivered', 'failed', 'skipped', 'opted_out'])), name='tally_event_known'), models.UniqueConstraint(fields=('kind', 'source_id', 'slot', 'event', 'detail', 'owner'), name='tally_once', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='Wallet',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('balance', models.BigIntegerField(default=0)),
                ('reserved_balance', models.BigIntegerField(default=0, verbose_name='held')),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('owner', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('balance__gte', 0)), name='wallet_balance_not_negative'), models.CheckConstraint(condition=models.Q(('reserved_balance__gte', 0), ('reserved_balance__lte', models.F('balance'))), name='wallet_reserved_within_balance')],
            },
        ),
        migrations.CreateModel(
            name='WebhookEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(default='mitto', max_length=20)),
                ('event_id', models.CharField(max_length=200, verbose_name='event ID')),
                ('event_type', models.CharField(choices=[('dlr', 'delivery receipt'), ('poll', 'answer to a status query'), ('inbound', 'message from a customer')], max_length=20, verbose_name='kind')),
                ('read_at', models.DateTimeField(blank=True, help_text='when an operator opened the conversation of a reply', null=True)),
                ('provider_message_id', models.CharField(blank=True, max_length=64, verbose_name="Mitto's message ID")),
                ('provider_status', models.CharField(blank=True, db_default='', help_text="the provider's status of the message, in lower case", max_length=40, verbose_name="Mitto's status")),
                ('consent_request', models.CharField(blank=True, db_default='', help_text='what a reply asks for: stop, start; review until a person has decided', max_length=8, verbose_name='asks for')),
                ('occurred_at', models.DateTimeField(blank=True, help_text="the provider's time of the event, if it gave one", null=True, verbose_name='time by Mitto')),
                ('error_code', models.CharField(blank=True, db_default='', max_length=40, verbose_name='code')),
                ('error', models.CharField(blank=True, db_default='', max_length=200)),
                ('payload', models.JSONField(null=True, verbose_name='as it came')),
                ('status', models.CharField(choices=[('received', 'received: not yet applied'), ('processed', 'processed: applied'), ('review', 'for review: a person decides whether it is an opt-out'), ('unmatched', 'unmatched: it belongs to no message or contact'), ('failed', 'failed: it cannot be read')], default='received', max_length=12)),
                ('received_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('retry_at', models.DateTimeField(blank=True, help_text='when its message is searched again', null=True)),
                ('processed_at', models.DateTimeField(blank=True, null=True)),
                ('contact', models.ForeignKey(blank=True, db_index=False, help_text="the store's contact that a reply came from", null=True, on_delete=django.db.models.deletion.SET_NULL, to='contacts.contact')),
                ('owner', models.ForeignKey(blank=True, db_index=False, help_text='the store to whose contact a reply belongs', null=True, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store')),
            ],
            options={
                'verbose_name': 'event from Mitto',
                'verbose_name_plural': 'events from Mitto',
                'indexes': [models.Index(condition=models.Q(('status', 'received')), fields=['id'], name='webhookevent_waiting'), models.Index(condition=models.Q(('status', 'review')), fields=['id'], name='webhookevent_review'), models.Index(condition=models.Q(('consent_request__in', ['stop', 'review']), ('status', 'received')), fields=['id'], name='webhookevent_stop_waiting'), models.Index(condition=models.Q(('event_type', 'inbound')), fields=['id'], name='webhookevent_reply'), models.Index(condition=models.Q(('event_type', 'inbound'), ('read_at', None)), fields=['id'], name='webhookevent_unread'), models.Index(condition=models.Q(('contact__isnull', False)), fields=['contact'], name='webhookevent_contact'), models.Index(condition=models.Q(('owner__isnull', False)), fields=['owner', 'id'], name='webhookevent_owner')],
                'constraints': [models.CheckConstraint(condition=models.Q(('event_type__in', ['dlr', 'poll', 'inbound'])), name='webhookevent_type_known'), models.CheckConstraint(condition=models.Q(('status__in', ['received', 'processed', 'review', 'unmatched', 'failed'])), name='webhookevent_status_known'), models.UniqueConstraint(fields=('provider', 'event_id'), name='webhookevent_once')],
            },
        ),
        migrations.CreateModel(
            name='Reply',
            fields=[
            ],
            options={
                'verbose_name': 'reply',
                'verbose_name_plural': 'replies',
                'proxy': True,
                'indexes': [],
                'constraints': [],
            },
            bases=('messaging.webhookevent',),
        ),
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
    ]
