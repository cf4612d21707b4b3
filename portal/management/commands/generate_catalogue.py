"""`manage.py generate_catalogue --offers N`: invented offers on the real registers (portal.demo.volume)."""

import sys

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from portal.demo import refuse_production, volume

MOST = 2_000_000


class Command(BaseCommand):
    help = "Invente des offres sur les vraies certifications, pour un catalogue grand comme le vrai."

    def add_arguments(self, parser):
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--offers", type=int, metavar="N", help="combien d’offres, de 1 à N")
        what.add_argument(
            "--remove",
            action="store_true",
            help="retirer celles qui ont été inventées et sur lesquelles personne n’a de dossier",
        )
        parser.add_argument("--seed", type=int, default=1, help="la même graine donne les mêmes offres")

    def handle(self, *, offers, remove, seed, **options):
        refuse_production()
        if remove:
            self.stdout.write(f"{volume.remove()} offres inventées retirées.")
            return
        if not 0 < offers <= MOST:
            raise CommandError(f"Demandez de 1 à {MOST} offres.")
        # A bar on a terminal only: a log file has no use for it.
        with tqdm(total=offers, unit="offre", leave=False, disable=not sys.stderr.isatty()) as bar:
            try:
                made = volume.generate(
                    offers, seed=seed, at=timezone.now(), progress=lambda done: bar.update(done - bar.n)
                )
            except volume.NothingToTeach as error:
                raise CommandError(str(error)) from None
        self.stdout.write(
            f"{made.offers} offres inventées avec {made.sessions} sessions"
            f" ; {offers - made.offers} étaient déjà là."
            + (f" Habilitations inventées : {made.entitlements}." if made.entitlements else "")
        )
