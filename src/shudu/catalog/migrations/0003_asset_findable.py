"""Whether every party that has signed in finds an asset's entry. What is there already stays as hidden as it was."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0002_kept_audiences")]

    operations = [migrations.AddField("asset", "findable", models.BooleanField(default=False))]
