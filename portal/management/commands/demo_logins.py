"""`manage.py demo_logins`: how to sign in to the demonstration, and an identity to activate."""

from django.core.management.base import BaseCommand
from django.utils import timezone

from portal.demo import people, refuse_production
from rulebook import workdays


class Command(BaseCommand):
    help = "Affiche les connexions de démonstration : rôle, adresse e-mail, mot de passe."

    def handle(self, **options):
        refuse_production()
        found = people.logins()
        if not found:
            self.stdout.write("Aucune : lancez d’abord manage.py load_demo")
            return
        width = max(len(login.role) for login in found)
        mail_width = max(len(login.email) for login in found)
        for login in found:
            password = login.password or "(mot de passe changé)"
            self.stdout.write(f"{login.role:{width}}  {login.email:{mail_width}}  {password}")
        for email, names in people.played_organisations().items():
            several = ". Son menu passe de l’une à l’autre" if len(names) > 1 else ""
            self.stdout.write(f"Pour jouer les deux côtés, {email} répond pour : {', '.join(names)}{several}")
        waiting = people.waiting_identity(on=workdays.paris_day(timezone.now()))
        if waiting is None:
            self.stdout.write("Tous les comptes de démonstration sont activés.")
            return
        self.stdout.write(
            "Compte à activer, avec une adresse e-mail de votre choix : "
            f"{waiting.family_name}, {waiting.first_names}, née ou né le {waiting.birth_date:%d/%m/%Y}, "
            f"numéro de sécurité sociale {waiting.nir}"
        )
