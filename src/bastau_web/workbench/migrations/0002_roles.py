"""The roles as groups."""

from typing import Any

from django.db import migrations

ROLES = ("analyst", "reviewer", "publisher", "auditor", "admin")


def make_roles(apps: Any, schema_editor: Any) -> None:
    groups = apps.get_model("auth", "Group")
    for role in ROLES:
        groups.objects.using(schema_editor.connection.alias).get_or_create(name=role)


class Migration(migrations.Migration):
    dependencies = [("workbench", "0001_initial")]
    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
