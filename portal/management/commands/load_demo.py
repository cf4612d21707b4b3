"""`manage.py load_demo`: an invented catalogue, invented people and dossiers in every state."""

from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

import rulebook
from catalog import suggesting
from catalog.models import Town
from portal.demo import catalogue, conversations, crowd, letters, opinions, people, refuse_production, stories
from rulebook import workdays


class Command(BaseCommand):
    help = "Charge des données de démonstration, inventées. Peut être relancée sans effet."

    def add_arguments(self, parser):
        parser.add_argument(
            "--reset-dates",
            action="store_true",
            help="ajouter des sessions et des dossiers datés d’aujourd’hui à côté de ceux d’avant",
        )

        parser.add_argument(
            "--cast-only",
            action="store_true",
            help="seulement les premiers rôles : sans la foule d’organismes et de titulaires",
        )

    def handle(self, *, reset_dates, cast_only, **options):
        refuse_production()
        if not Town.objects.exists():
            raise CommandError("Les communes manquent. Lancez d’abord : manage.py load_towns")
        at = timezone.now()
        wave = f"-{workdays.paris_day(at):%Y%m%d}" if reset_dates else ""
        admin = people.load_logins()
        counts = catalogue.load(at=at, by=admin, wave=wave)
        if not cast_only:
            counts["offers"] += crowd.load(at=at, by=admin, wave=wave)
        people.load_memberships()
        opened_at = stories.first_moment(at=at) - timedelta(days=30)
        holders = people.load_holders(at=at, opened_at=opened_at, wave=wave, with_crowd=not cast_only)
        told = stories.STORIES if cast_only else [*stories.STORIES, *crowd.stories()]
        played = stories.play(holders, at=at, stories=told, wave=wave)
        conversations.load(at=at, by=admin)
        letters.load(at=at, by=admin)
        opinions.load(at=at, by=admin)
        today = workdays.paris_day(at)
        suggesting.refresh(on=today, rules=rulebook.on(today))
        self.stdout.write(
            f"{counts['certifications']} certifications, {counts['offers']} offres, "
            f"{len(holders)} comptes, {played} nouveaux dossiers."
        )
