#!/usr/bin/env python
"""Django's command line. On your machine, prefer `python3 dev.py manage …`, which starts the services."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if "runserver" not in sys.argv[1:2]:
        # A migration or an import works for minutes where a page has seconds. Locks stay short: whatever
        # waits for one keeps everybody behind it waiting.
        os.environ.setdefault("STATEMENT_SECONDS", "7200")
    execute_from_command_line(sys.argv)
