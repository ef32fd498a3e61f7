from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("exchange", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="orderrun",
            name="restarts",
            field=models.CharField(max_length=64, null=True, unique=True),
        ),
    ]
