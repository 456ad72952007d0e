"""Gives the message log an index of messages that were not delivered that no other is mistaken for."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Length, Sign
from django.db.models.lookups import Exact

MESSAGES = ("directmessage",)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("messaging", "0002_submission_counter_database_identity")]

    operations = [
        migrations.RunSQL("SET lock_timeout = 0", ""),
        *(
            AddIndexConcurrently(
                model,
                models.Index(
                    condition=models.Q(Exact(Sign(Length("error_code")), 1)),
                    fields=["batch", "id"],
                    name=f"{model}_trouble_log",
                ),
            )
            for model in MESSAGES
        ),
        *(RemoveIndexConcurrently(model, f"{model}_log") for model in MESSAGES),
    ]
