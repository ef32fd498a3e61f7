"""Keys that take over in a log that goes on."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("algorithm", models.CharField(max_length=20)),
                ("key_id", models.CharField(max_length=8, unique=True)),
                ("public_key", models.BinaryField()),
                ("since", models.DateTimeField()),
                (
                    "log",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="later_keys", to="ledger.log"
                    ),
                ),
            ],
        ),
    ]
