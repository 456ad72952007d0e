from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="webhookevent",
            index=models.Index(
                condition=models.Q(
                    ("consent_request__in", ["stop", "review"]), ("status", "received")
                ),
                fields=["id"],
                name="webhookevent_stop_waiting",
            ),
        ),
    ]
