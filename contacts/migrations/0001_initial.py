import contacts.phones
import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('astronote', '__first__'),
    ]

    operations = [
        migrations.CreateModel(
            name='Contact',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('phone', models.CharField(max_length=16, null=True, verbose_name='number')),
                ('email', models.EmailField(blank=True, max_length=320, verbose_name='email')),
                ('first_name', models.CharField(blank=True, max_length=120, verbose_name='first name')),
                ('last_name', models.CharField(blank=True, max_length=120, verbose_name='last name')),
                ('gender', models.CharField(blank=True, choices=[('male', 'Male'), ('female', 'Female'), ('other', 'Other'), ('prefer_not_to_say', 'Prefer Not To Say')], max_length=20, null=True, verbose_name='gender')),
                ('birthday', models.DateField(blank=True, null=True, verbose_name='birthday')),
                ('is_subscribed', models.BooleanField(db_default=False, help_text='Consent to marketing; false until the customer gives it.', verbose_name='agrees to marketing')),
                ('service_allowed', models.BooleanField(db_default=True, help_text='Service messages rest on the contract with the customer; they are allowed until the customer objects.', verbose_name='allows service messages')),
                ('unsubscribed_at', models.DateTimeField(blank=True, null=True, verbose_name='opted out at')),
                ('gdpr_consent_at', models.DateTimeField(blank=True, null=True, verbose_name='consent given at')),
                ('gdpr_consent_source', models.CharField(blank=True, db_default='', max_length=80, verbose_name='consent given by')),
                ('gdpr_consent_version', models.CharField(blank=True, db_default='', max_length=80, verbose_name='version of the wording')),
                ('sms_consent_status', models.CharField(blank=True, db_default='', max_length=40, verbose_name='last change of consent')),
                ('sms_consent_at', models.DateTimeField(blank=True, null=True, verbose_name='time of the last change')),
                ('sms_consent_source', models.CharField(blank=True, db_default='', max_length=80, verbose_name='source of the last change')),
                ('consent_evidence', models.JSONField(blank=True, null=True, verbose_name='proof of consent')),
                ('anonymised_at', models.DateTimeField(blank=True, null=True, verbose_name='anonymised at')),
                ('erase_on', models.DateField(blank=True, help_text='Retention erases the contact on this day.', null=True, verbose_name='to be erased on')),
                ('legal_hold', models.BooleanField(db_default=False, help_text='Retention never erases the contact, for example during a legal dispute.', verbose_name='legal hold')),
                ('restricted_at', models.DateTimeField(blank=True, help_text='Since then the contact is only stored: no messages, no changes, no retention.', null=True, verbose_name='restricted since')),
                ('restricted_reason', models.CharField(blank=True, db_default='', max_length=200, verbose_name='reason of the restriction')),
                ('custom_values', models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict, help_text="Values of the store's custom fields by their keys; a missing one is empty.", verbose_name='custom fields')),
                ('awaits_welcome', models.BooleanField(db_default=False, help_text='New, and not yet checked for the welcome message.', verbose_name='awaits welcome')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='created at')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), verbose_name='updated at')),
                ('owner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store')),
            ],
            options={"verbose_name": 'contact', "verbose_name_plural": 'contacts', "indexes": [models.Index(django.db.models.functions.datetime.ExtractMonth('birthday'), django.db.models.functions.datetime.ExtractDay('birthday'), models.F('owner'), condition=models.Q(('birthday__isnull', False)), name='contact_birthday'), models.Index(condition=models.Q(('anonymised_at__isnull', True), ('unsubscribed_at__isnull', False)), fields=['unsubscribed_at'], name='contact_retention'), models.Index(condition=models.Q(('awaits_welcome', True)), fields=['owner'], name='contact_welcome'), django.contrib.postgres.indexes.GinIndex(condition=models.Q(('custom_values', {}), _negated=True), fields=['custom_values'], name='contact_custom')], "constraints": [models.UniqueConstraint(fields=('owner', 'phone'), name='contact_phone_once_per_store'), models.CheckConstraint(condition=models.Q(('phone__regex', '^\\+[1-9][0-9]{6,14}$'), models.Q(('anonymised_at__isnull', False), ('phone__isnull', True)), _connector='OR'), name='contact_phone_is_e164'), models.CheckConstraint(condition=models.Q(('gender__isnull', True), ('gender__in', ['male', 'female', 'other', 'prefer_not_to_say']), _connector='OR'), name='contact_gender_known')]},
        ),
        migrations.CreateModel(
            name='ConsentEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('type', models.CharField(choices=[('subscribed', 'Subscribed'), ('unsubscribed', 'Unsubscribed'), ('resubscribed', 'Resubscribed'), ('service_allowed', 'Service Allowed'), ('service_revoked', 'Service Revoked'), ('consent_reset', 'Consent Reset')], max_length=20, verbose_name='change')),
                ('source', models.CharField(max_length=80, verbose_name='source')),
                ('decided_at', models.DateTimeField(blank=True, help_text='When the person decided; the row is as old as our record.', null=True, verbose_name='decided at')),
                ('actor', models.CharField(blank=True, db_default='', help_text="Who recorded it: an account's id, or a program; empty if the person acted.", max_length=80, verbose_name='recorded by')),
                ('wording', models.TextField(blank=True, db_default='', help_text='What the person agreed to, word for word.', verbose_name='wording')),
                ('version', models.CharField(blank=True, db_default='', help_text="The wording's version.", max_length=80, verbose_name='version')),
                ('meta', models.JSONField(blank=True, help_text='Further proof.', null=True, verbose_name='further proof')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='recorded at')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store')),
                ('contact', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='contacts.contact', verbose_name='contact')),
            ],
            options={"verbose_name": 'consent event', "verbose_name_plural": 'consent events', "indexes": [models.Index(condition=models.Q(('type', 'subscribed'), _negated=True), fields=['type', 'id'], name='consentevent_type')], "constraints": [models.CheckConstraint(condition=models.Q(('type__in', ['subscribed', 'unsubscribed', 'resubscribed', 'service_allowed', 'service_revoked', 'consent_reset'])), name='consentevent_type_known')]},
        ),
        migrations.CreateModel(
            name='ContactImport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('file_name', models.CharField(max_length=255, verbose_name='file')),
                ('file_size', models.BigIntegerField(help_text='bytes', verbose_name='size')),
                ('file_sha256', models.CharField(max_length=64, verbose_name='SHA-256')),
                ('status', models.CharField(choices=[('uploaded', 'uploaded: waiting for confirmation of the mapping'), ('pending', 'pending: waiting for a worker'), ('processing', 'processing: being read, or waiting to continue'), ('completed', 'Completed'), ('failed', 'failed: the file cannot be used'), ('cancelled', 'cancelled: contacts written before stay')], default='pending', max_length=20, verbose_name='status')),
                ('processed', models.IntegerField(default=0, verbose_name='rows read')),
                ('created', models.IntegerField(default=0, verbose_name='created')),
                ('updated', models.IntegerField(default=0, verbose_name='updated')),
                ('unchanged', models.IntegerField(default=0, verbose_name='unchanged')),
                ('duplicate', models.IntegerField(default=0, verbose_name='duplicate')),
                ('rejected', models.IntegerField(default=0, verbose_name='rejected')),
                ('kept_incomplete', models.IntegerField(default=0, help_text='Rows of which an unusable cell was left out; listed as rejected rows.', verbose_name='kept incomplete')),
                ('attempts', models.IntegerField(default=0, help_text='How often a worker began to read since rows were last written.', verbose_name='attempts')),
                ('layout', models.JSONField(blank=True, help_text='how the file is read', null=True, verbose_name='layout')),
                ('mapping', models.JSONField(blank=True, help_text='positions of columns by contact field, preferred first', null=True, verbose_name='mapping')),
                ('date_order', models.CharField(blank=True, choices=[('iso', '1990-12-31'), ('dmy', '31/12/1990'), ('mdy', '12/31/1990')], default='', max_length=3, verbose_name='date order')),
                ('update_existing', models.BooleanField(default=True, help_text='Update contacts that the store already has; otherwise leave them unchanged.', verbose_name='update existing')),
                ('consent_source', models.CharField(blank=True, default='', help_text='Where customers agreed to marketing. If empty, they are stored unsubscribed.', max_length=80, verbose_name='consent source')),
                ('consent_at', models.DateTimeField(blank=True, help_text='when they agreed', null=True, verbose_name='consent at')),
                ('consent_wording', models.TextField(blank=True, default='', help_text='What they agreed to, word for word.', max_length=2000, verbose_name='consent wording')),
                ('consent_version', models.CharField(blank=True, default='', help_text="The wording's version.", max_length=80, verbose_name='consent version')),
                ('welcome', models.BooleanField(default=False, help_text='New contacts may receive the welcome message.', verbose_name='welcome')),
                ('share_read', models.FloatField(default=0, help_text='share of the file that was read, 0 to 1', verbose_name='share read')),
                ('error', models.CharField(blank=True, max_length=500, verbose_name='error')),
                ('started_at', models.DateTimeField(blank=True, null=True, verbose_name='started at')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished at')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='uploaded at')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store')),
            ], options={'verbose_name': 'import', 'verbose_name_plural': 'imports'},
        ),
        migrations.CreateModel(
            name='CustomerEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('external_ref', models.CharField(blank=True, db_default='', help_text="Its number in the store's own system; an event with the same one replaces it.", max_length=120, verbose_name='reference')),
                ('event_type', models.CharField(choices=[('appointment', 'Appointment'), ('membership', 'Membership'), ('stay', 'Stay'), ('purchase', 'Purchase'), ('visit', 'Visit'), ('custom', 'Custom')], max_length=20, verbose_name='type')),
                ('status', models.CharField(choices=[('scheduled', 'Scheduled'), ('completed', 'Completed'), ('canceled', 'cancelled'), ('no_show', 'no-show')], default='scheduled', max_length=20, verbose_name='status')),
                ('start_at', models.DateTimeField(blank=True, null=True, verbose_name='start')),
                ('end_at', models.DateTimeField(blank=True, null=True, verbose_name='end')),
                ('meta', models.JSONField(blank=True, null=True, verbose_name='further data')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='recorded at')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), verbose_name='updated at')),
                ('contact', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='contacts.contact', verbose_name='contact')),
                ('owner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store')),
            ],
            options={"verbose_name": 'customer event', "verbose_name_plural": 'customer events', "indexes": [models.Index(fields=['owner', 'event_type', 'status', 'start_at'], name='customerevent_start'), models.Index(models.F('owner'), models.F('event_type'), models.F('status'), django.db.models.functions.comparison.Coalesce('end_at', 'start_at'), name='customerevent_end'), models.Index(fields=['owner', 'updated_at'], name='customerevent_changed'), models.Index(models.F('contact'), django.db.models.functions.comparison.Coalesce('end_at', 'start_at'), name='customerevent_contact')], "constraints": [models.CheckConstraint(condition=models.Q(('event_type__in', ['appointment', 'membership', 'stay', 'purchase', 'visit', 'custom'])), name='customerevent_type_known'), models.CheckConstraint(condition=models.Q(('status__in', ['scheduled', 'completed', 'canceled', 'no_show'])), name='customerevent_status_known'), models.CheckConstraint(condition=models.Q(('start_at__isnull', False), ('end_at__isnull', False), _connector='OR'), name='customerevent_has_time'), models.UniqueConstraint(condition=models.Q(('external_ref', ''), _negated=True), fields=('owner', 'external_ref'), name='customerevent_once_per_reference')]},
        ),
        migrations.CreateModel(
            name='CustomField',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(help_text='By which files and segments name it, such as city.', max_length=40, validators=[django.core.validators.RegexValidator('^[a-z][a-z0-9_]*$', 'Letters a to z, digits and _ only.')], verbose_name='key')),
                ('label', models.CharField(help_text='By which people know it.', max_length=80, verbose_name='label')),
                ('type', models.CharField(choices=[('text', 'Text'), ('number', 'Number'), ('date', 'Date')], default='text', max_length=8, verbose_name='type')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='created at')),
                ('owner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store')),
            ],
            options={"verbose_name": 'custom field', "verbose_name_plural": 'custom fields', "constraints": [models.CheckConstraint(condition=models.Q(('type__in', ['text', 'number', 'date'])), name='customfield_type_known'), models.UniqueConstraint(fields=('owner', 'key'), name='customfield_once_per_store')]},
        ),
        migrations.CreateModel(
            name='ImportFileChunk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.IntegerField(verbose_name='number')),
                ('data', models.BinaryField(verbose_name='data')),
                ('contact_import', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='contacts.contactimport', verbose_name='import')),
            ],
            options={"verbose_name": 'import file chunk', "verbose_name_plural": 'import file chunks', "constraints": [models.UniqueConstraint(fields=('contact_import', 'number'), name='importfilechunk_once')]},
        ),
        migrations.CreateModel(
            name='List',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=160, verbose_name='name')),
                ('description', models.CharField(blank=True, max_length=400, verbose_name='description')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='created at')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), verbose_name='updated at')),
                ('owner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store')),
            ],
            options={"verbose_name": 'list', "verbose_name_plural": 'lists', "constraints": [models.UniqueConstraint(fields=('owner', 'name'), name='list_name_once_per_store')]},
        ),
        migrations.AddField(
            model_name='contactimport',
            name='list',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to='contacts.list', verbose_name='list'),
        ),
        migrations.CreateModel(
            name='ListMembership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='since')),
                ('contact', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='contacts.contact', verbose_name='contact')),
                ('list', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='contacts.list', verbose_name='list')),
            ],
            options={"verbose_name": 'list membership', "verbose_name_plural": 'list memberships', "constraints": [models.UniqueConstraint(fields=('list', 'contact'), name='listmembership_once')]},
        ),
        migrations.CreateModel(
            name='MarketingHold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('phone_hash', models.CharField(max_length=64, verbose_name='phone hash')),
                ('key_id', models.CharField(db_index=True, default=contacts.phones.present_key_id, editable=False, help_text='Which PHONE_HASH_KEY made the hash.', max_length=8, verbose_name='key id')),
                ('reply_id', models.BigIntegerField(db_index=True, verbose_name='reply id')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='created at')),
                ('owner', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='owner')),
            ],
            options={"verbose_name": 'marketing hold', "verbose_name_plural": 'marketing holds', "constraints": [models.UniqueConstraint(fields=('phone_hash', 'owner', 'reply_id'), name='marketinghold_once', nulls_distinct=False)]},
        ),
        migrations.CreateModel(
            name='OptInRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('purpose', models.CharField(choices=[('double_opt_in', 'double opt-in: agrees, by a link or a reply'), ('opt_in_again', 'opt-in again: enters a code on the opt-out page')], max_length=20, verbose_name='purpose')),
                ('wording', models.TextField(help_text='What the person is asked, word for word.', verbose_name='wording')),
                ('version', models.CharField(blank=True, db_default='', max_length=80, verbose_name='version')),
                ('tracking_id', models.CharField(blank=True, help_text='of its message; empty until it is written', max_length=16, null=True, verbose_name='tracking ID')),
                ('expires_at', models.DateTimeField(blank=True, null=True, verbose_name='expires at')),
                ('attempts', models.SmallIntegerField(db_default=0, default=0, help_text='wrong codes', verbose_name='wrong codes')),
                ('answered_at', models.DateTimeField(blank=True, null=True, verbose_name='answered at')),
                ('closed_at', models.DateTimeField(blank=True, help_text='when it was given up, replaced or withdrawn', null=True, verbose_name='closed at')),
                ('meta', models.JSONField(blank=True, help_text='what led to it, such as an import', null=True, verbose_name='what led to it')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='asked at')),
                ('contact', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='contacts.contact', verbose_name='contact')),
            ],
            options={
                'verbose_name': 'opt-in request',
                'verbose_name_plural': 'opt-in requests',
                'indexes': [models.Index(condition=models.Q(('answered_at', None), ('closed_at', None), ('tracking_id', None)), fields=['id'], name='optinrequest_waiting')],
                'constraints': [models.CheckConstraint(condition=models.Q(('purpose__in', ['double_opt_in', 'opt_in_again'])), name='optinrequest_purpose_known'), models.UniqueConstraint(condition=models.Q(('answered_at', None), ('closed_at', None)), fields=('contact',), name='optinrequest_one_open'), models.UniqueConstraint(fields=('tracking_id',), name='optinrequest_tracking_id_once')],
            },
        ),
        migrations.CreateModel(
            name='RejectedRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('line', models.IntegerField(help_text='line in the file, counted from 1', verbose_name='line')),
                ('column', models.CharField(blank=True, max_length=200, verbose_name='column')),
                ('value', models.CharField(blank=True, max_length=200, verbose_name='value')),
                ('reason', models.CharField(max_length=200, verbose_name='reason')),
                ('row', models.JSONField(verbose_name='row')),
                ('contact_import', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='contacts.contactimport', verbose_name='import')),
            ],
            options={"verbose_name": 'rejected row', "verbose_name_plural": 'rejected rows', "constraints": [models.UniqueConstraint(fields=('contact_import', 'line'), name='rejectedrow_once')]},
        ),
        migrations.CreateModel(
            name='Suppression',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('phone_hash', models.CharField(max_length=64, verbose_name='hash of the number')),
                ('key_id', models.CharField(db_index=True, default=contacts.phones.present_key_id, editable=False, help_text='Which PHONE_HASH_KEY made the hash.', max_length=8, verbose_name='key of the hash')),
                ('reason', models.CharField(max_length=80, verbose_name='reason')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='since')),
                ('owner', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store')),
            ],
            options={"verbose_name": 'suppression', "verbose_name_plural": 'suppressions', "constraints": [models.UniqueConstraint(fields=('phone_hash', 'owner'), name='suppression_once', nulls_distinct=False)]},
        ),
        migrations.AddConstraint(
            model_name='contactimport',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['uploaded', 'pending', 'processing', 'completed', 'failed', 'cancelled'])), name='contactimport_status_known'),
        ),
        migrations.AddConstraint(
            model_name='contactimport',
            constraint=models.CheckConstraint(condition=models.Q(('processed', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('created'), '+', models.F('updated')), '+', models.F('unchanged')), '+', models.F('duplicate')), '+', models.F('rejected')))), name='contactimport_every_row_counted'),
        ),
    ]
