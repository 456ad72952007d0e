
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('messaging', '0002_submission_counter_database_identity'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='BillingProfile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('legal_name', models.CharField(max_length=200)),
                ('vat_number', models.CharField(blank=True, help_text='With its country, such as EL123456789; empty: a private person.', max_length=32, validators=[django.core.validators.RegexValidator('^[A-Z]{2}[A-Z0-9]{2,14}\\Z', 'Write it as EL123456789.')], verbose_name='VAT number')),
                ('vat_number_checked', models.BooleanField(default=False, help_text='Without this an invoice to another country of the EU has VAT.', verbose_name='VAT number is valid by VIES')),
                ('vat_country', models.CharField(default='GR', max_length=2, validators=[django.core.validators.RegexValidator('^[A-Z]{2}\\Z', 'Write two capital letters, such as GR.')], verbose_name='country')),
                ('tax_exempt', models.BooleanField(default=False, verbose_name='exempt from VAT')),
                ('billing_email', models.EmailField(blank=True, max_length=254, verbose_name='e-mail address for invoices')),
                ('billing_address', models.TextField(max_length=500, verbose_name='address')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'verbose_name': 'invoice recipient',
            },
        ),
        migrations.CreateModel(
            name='InvoiceRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('year', models.SmallIntegerField()),
                ('number', models.IntegerField()),
                ('issued_on', models.DateField(verbose_name='issued')),
                ('seller', models.TextField()),
                ('buyer', models.TextField()),
                ('buyer_vat_number', models.CharField(blank=True, max_length=32, verbose_name="buyer's VAT number")),
                ('buyer_country', models.CharField(max_length=2, verbose_name="buyer's country")),
                ('currency', models.CharField(choices=[('EUR', 'EUR'), ('USD', 'USD')], max_length=3)),
                ('subtotal', models.BigIntegerField(verbose_name='cents without VAT')),
                ('tax', models.BigIntegerField(verbose_name='cents of VAT')),
                ('total', models.BigIntegerField(verbose_name='cents in total')),
                ('tax_rate', models.DecimalField(decimal_places=2, max_digits=4, verbose_name='VAT in percent')),
                ('tax_treatment', models.CharField(choices=[('domestic', "VAT of the seller's country"), ('reverse_charge', 'reverse charge'), ('outside_eu', 'outside the scope of EU VAT'), ('exempt', 'exempt from VAT')], max_length=16, verbose_name='VAT')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                'verbose_name': 'invoice',
            },
        ),
        migrations.CreateModel(
            name='Package',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80, unique=True)),
                ('credits', models.IntegerField(validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100000000)])),
                ('price_cents', models.IntegerField(validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100000000)], verbose_name='price in cents of EUR')),
                ('price_cents_usd', models.IntegerField(blank=True, help_text='Empty: it is not sold in USD.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100000000)], verbose_name='price in cents of USD')),
                ('is_active', models.BooleanField(default=True, verbose_name='is sold')),
                ('provider_price_id_eur', models.CharField(blank=True, db_default='', max_length=128, verbose_name="provider's ID of the price in EUR")),
                ('provider_price_id_usd', models.CharField(blank=True, db_default='', max_length=128, verbose_name="provider's ID of the price in USD")),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
        ),
        migrations.CreateModel(
            name='Payment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('monthly', 'a month of the plan'), ('yearly', 'a year of the plan'), ('topup', 'a package of credits')], max_length=8, verbose_name='for')),
                ('amount', models.BigIntegerField(verbose_name='cents')),
                ('currency', models.CharField(choices=[('EUR', 'EUR'), ('USD', 'USD')], max_length=3)),
                ('credits', models.IntegerField(default=0)),
                ('plan_type', models.CharField(blank=True, choices=[('starter', 'starter'), ('pro', 'pro')], max_length=10, verbose_name='plan')),
                ('covers_from', models.DateField(blank=True, help_text="first day of the plan's time that it pays", null=True)),
                ('covers_until', models.DateField(blank=True, help_text='the day after the last one that it pays', null=True)),
                ('paid_at', models.DateTimeField(verbose_name='paid')),
                ('idempotency_key', models.CharField(max_length=128, verbose_name='key')),
                ('provider_session_id', models.CharField(blank=True, max_length=128, null=True, unique=True)),
                ('provider_payment_intent_id', models.CharField(blank=True, max_length=128, null=True, unique=True)),
                ('provider_charge_id', models.CharField(blank=True, max_length=128, null=True)),
                ('provider_invoice_id', models.CharField(blank=True, max_length=128, null=True, unique=True)),
                ('provider_customer_id', models.CharField(blank=True, max_length=128, null=True)),
                ('provider_price_id', models.CharField(blank=True, max_length=128, null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='recorded')),
            ],
        ),
        migrations.CreateModel(
            name='PaymentAdjustment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('type', models.CharField(choices=[('refund', 'refund'), ('dispute', 'dispute')], max_length=8)),
                ('status', models.CharField(choices=[('done', 'done: the money was returned'), ('open', 'open: the bank has taken the money and has not decided'), ('won', 'won: the money is ours again'), ('lost', 'lost: the money was returned')], max_length=8)),
                ('amount', models.BigIntegerField(verbose_name='cents')),
                ('credits_due', models.IntegerField(default=0, verbose_name='credits to go back')),
                ('credits_taken', models.IntegerField(default=0, verbose_name='credits taken back')),
                ('months_taken', models.SmallIntegerField(default=0, help_text="of the plan's time that the payment paid", verbose_name='months taken back')),
                ('reason', models.CharField(blank=True, max_length=255)),
                ('idempotency_key', models.CharField(max_length=128, verbose_name='key')),
                ('provider_id', models.CharField(blank=True, max_length=128, null=True, unique=True, verbose_name="provider's ID of the refund or dispute")),
                ('occurred_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='at')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='recorded')),
            ],
            options={
                'verbose_name': 'refund or dispute',
                'verbose_name_plural': 'refunds and disputes',
            },
        ),
        migrations.CreateModel(
            name='Subscription',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('plan_type', models.CharField(choices=[('starter', 'starter'), ('pro', 'pro')], max_length=10, verbose_name='plan')),
                ('interval', models.CharField(choices=[('month', 'month'), ('year', 'year')], default='month', max_length=5, verbose_name='paid by the')),
                ('currency', models.CharField(choices=[('EUR', 'EUR'), ('USD', 'USD')], default='EUR', max_length=3)),
                ('included_sms_per_period', models.IntegerField(default=0, help_text="Used before the wallet's other credits; a change counts from the next month.", validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(100000000)], verbose_name='credits included a month')),
                ('current_period_start', models.DateField(blank=True, editable=False, null=True, verbose_name='month began')),
                ('current_period_end', models.DateField(blank=True, editable=False, null=True, verbose_name='month ends')),
                ('paid_until', models.DateField(blank=True, editable=False, null=True)),
                ('billing_day', models.SmallIntegerField(blank=True, editable=False, help_text='the day of the month on which months begin, or the last one of a shorter month', null=True)),
                ('cancel_at_period_end', models.BooleanField(default=False, help_text='Then the subscription is cancelled; otherwise it is past due.', verbose_name='ends when it is no longer paid')),
                ('provider_customer_id', models.CharField(blank=True, max_length=128, null=True, unique=True, verbose_name="provider's ID of the store")),
                ('provider_subscription_id', models.CharField(blank=True, max_length=128, null=True, unique=True, verbose_name="provider's ID of the plan")),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'verbose_name': 'plan',
            },
        ),
        migrations.RemoveConstraint(
            model_name='credittransaction',
            name='credittransaction_type_known',
        ),
        migrations.AddField(
            model_name='credittransaction',
            name='allowance_after',
            field=models.BigIntegerField(db_default=0, default=0, verbose_name='of the allowance after'),
        ),
        migrations.AddField(
            model_name='wallet',
            name='alert_below',
            field=models.IntegerField(blank=True, help_text='Alerts tell when fewer credits than so many are available; empty: never.', null=True),
        ),
        migrations.AddField(
            model_name='wallet',
            name='allowance_balance',
            field=models.BigIntegerField(db_default=0, default=0, help_text="Part of the balance; used first, and gone at the end of the plan's month.", verbose_name='of the allowance'),
        ),
        migrations.AlterField(
            model_name='credittransaction',
            name='type',
            field=models.CharField(choices=[('credit', 'credit: added'), ('debit', 'debit: messages charged'), ('refund', 'refund: taken back, as the money was returned'), ('expiry', "expiry: not used before the plan's month ended")], max_length=8, verbose_name='kind'),
        ),
        migrations.AddConstraint(
            model_name='credittransaction',
            constraint=models.CheckConstraint(condition=models.Q(('type__in', ['credit', 'debit', 'refund', 'expiry'])), name='credittransaction_type_known'),
        ),
        migrations.AddConstraint(
            model_name='wallet',
            constraint=models.CheckConstraint(condition=models.Q(('allowance_balance__gte', 0), ('allowance_balance__lte', models.F('balance'))), name='wallet_allowance_within_balance'),
        ),
        migrations.AddField(
            model_name='billingprofile',
            name='owner',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL, verbose_name='store'),
        ),
        migrations.AddField(
            model_name='invoicerecord',
            name='owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL, verbose_name='store'),
        ),
        migrations.AddConstraint(
            model_name='package',
            constraint=models.CheckConstraint(condition=models.Q(('credits__gte', 1), ('credits__lte', 100000000)), name='package_credits_bounds'),
        ),
        migrations.AddConstraint(
            model_name='package',
            constraint=models.CheckConstraint(condition=models.Q(('price_cents__gte', 1), ('price_cents__lte', 100000000), models.Q(('price_cents_usd', None), ('price_cents_usd__gte', 1), _connector='OR')), name='package_price_bounds'),
        ),
        migrations.AddField(
            model_name='payment',
            name='owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL, verbose_name='store'),
        ),
        migrations.AddField(
            model_name='payment',
            name='package',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='messaging.package'),
        ),
        migrations.AddField(
            model_name='invoicerecord',
            name='payment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='messaging.payment'),
        ),
        migrations.AddField(
            model_name='paymentadjustment',
            name='owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL, verbose_name='store'),
        ),
        migrations.AddField(
            model_name='paymentadjustment',
            name='payment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='messaging.payment'),
        ),
        migrations.AddField(
            model_name='invoicerecord',
            name='adjustment',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='messaging.paymentadjustment', verbose_name='refund or dispute'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='owner',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL, verbose_name='store'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['monthly', 'yearly', 'topup'])), name='payment_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(('currency__in', ['EUR', 'USD'])), name='payment_currency_known'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gte', 1), ('amount__lte', 100000000)), name='payment_amount_bounds'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('credits__gte', 1), ('kind', 'topup'), ('package__isnull', False), ('plan_type', '')), models.Q(('covers_from__isnull', False), ('covers_until__gt', models.F('covers_from')), ('credits', 0), ('kind__in', ['monthly', 'yearly']), ('package', None)), _connector='OR'), name='payment_of_package_or_plan'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.UniqueConstraint(fields=('owner', 'idempotency_key'), name='payment_once_per_key'),
        ),
        migrations.AddConstraint(
            model_name='paymentadjustment',
            constraint=models.CheckConstraint(condition=models.Q(('type__in', ['refund', 'dispute'])), name='paymentadjustment_type_known'),
        ),
        migrations.AddConstraint(
            model_name='paymentadjustment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'done'), ('type', 'refund')), models.Q(('status__in', ['open', 'won', 'lost']), ('type', 'dispute')), _connector='OR'), name='paymentadjustment_status_of_type'),
        ),
        migrations.AddConstraint(
            model_name='paymentadjustment',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gte', 1)), name='paymentadjustment_amount'),
        ),
        migrations.AddConstraint(
            model_name='paymentadjustment',
            constraint=models.CheckConstraint(condition=models.Q(('credits_taken__gte', 0), ('credits_taken__lte', models.F('credits_due'))), name='paymentadjustment_taken_within_due'),
        ),
        migrations.AddConstraint(
            model_name='paymentadjustment',
            constraint=models.UniqueConstraint(fields=('owner', 'idempotency_key'), name='paymentadjustment_once_per_key'),
        ),
        migrations.AddConstraint(
            model_name='invoicerecord',
            constraint=models.CheckConstraint(condition=models.Q(('tax_treatment__in', ['domestic', 'reverse_charge', 'outside_eu', 'exempt'])), name='invoicerecord_treatment_known'),
        ),
        migrations.AddConstraint(
            model_name='invoicerecord',
            constraint=models.CheckConstraint(condition=models.Q(('total', django.db.models.expressions.CombinedExpression(models.F('subtotal'), '+', models.F('tax')))), name='invoicerecord_adds_up'),
        ),
        migrations.AddConstraint(
            model_name='invoicerecord',
            constraint=models.UniqueConstraint(fields=('year', 'number'), name='invoicerecord_number_once'),
        ),
        migrations.AddConstraint(
            model_name='invoicerecord',
            constraint=models.UniqueConstraint(condition=models.Q(('adjustment', None)), fields=('payment',), name='invoicerecord_once_per_payment'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.CheckConstraint(condition=models.Q(('plan_type__in', ['starter', 'pro'])), name='subscription_plan_type_known'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.CheckConstraint(condition=models.Q(('interval__in', ['month', 'year'])), name='subscription_interval_known'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.CheckConstraint(condition=models.Q(('currency__in', ['EUR', 'USD'])), name='subscription_currency_known'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.CheckConstraint(condition=models.Q(('included_sms_per_period__gte', 0), ('included_sms_per_period__lte', 100000000)), name='subscription_included_bounds'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('current_period_end', None), ('current_period_start', None)), models.Q(('billing_day__gte', 1), ('billing_day__lte', 31), ('current_period_end__gt', models.F('current_period_start')), ('paid_until__isnull', False)), _connector='OR'), name='subscription_period_whole'),
        ),
    ]
