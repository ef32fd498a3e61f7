"""What was measured of an offer's rows, and which columns its drafter left out of it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agreements", "0003_sized_audiences")]

    operations = [migrations.AddField("offer", "anonymity", models.JSONField(default=dict))]
