"""How a version came from the one before: which, in what way, and how many rows are new."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0005_audience_sizes"),
    ]

    operations = [
        migrations.AddField(
            model_name="version",
            name="change",
            field=models.JSONField(default=dict),
        ),
    ]
