from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("govern", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="assessment",
            name="unfit",
            field=models.JSONField(default=list),
        ),
    ]
