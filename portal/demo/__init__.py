"""What `load_demo` puts in an empty portal: an invented catalogue, invented people, dossiers in every state.

Facts stand in catalogue.yaml and people.yaml; the code only brings them in, through the verbs that everyone
uses. Nothing here may run in production.
"""

from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.core.management.base import CommandError
from django.utils.translation import gettext as _

FOLDER = Path(__file__).parent
PASSWORD = "douze-lapins-bleus"  # noqa: S105 - printed on purpose: the accounts it opens are invented


def refuse_production() -> None:
    """CommandError: this portal is a real one."""
    if settings.IS_PRODUCTION:
        raise CommandError(_("Les données de démonstration n’entrent jamais dans un portail en production."))


def facts(name: str) -> dict[str, Any]:
    """The content of one of the YAML files beside this module."""
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
