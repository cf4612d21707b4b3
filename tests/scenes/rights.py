"""« Mes droits » in each state: told in full, near the cap, at the cap, in hours, on a past day."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page

from tests.scenes import CAMILLE, Scene, page
from tests.scenes.stage import AGENT, AT_CAP, NEAR_CAP, TOLD


def on_a_past_day(days: int):
    """Counted when the page is opened: tests are listed long before, perhaps on the day before."""
    return lambda stage: f"{reverse('rights')}?jour={timezone.localdate() - timedelta(days=days)}"


def open_first_line(shown: Page) -> None:
    """The newest line of the history that tells its sum."""
    shown.locator("#historique summary", has_text="Voir le calcul").first.click()


SCENES = [
    Scene("rights/told", TOLD, page("rights"), shows=("Votre engagement citoyen", "Estimation")),
    Scene(
        "rights/line-explained",
        TOLD,
        page("rights", "sorte=credit"),
        shows=("il manquait", "Atelier Nord"),
        then=open_first_line,
    ),
    Scene("rights/near-cap", NEAR_CAP, page("rights"), shows=("Le plafond réduira",)),
    Scene("rights/at-cap", AT_CAP, page("rights"), shows=("ont atteint leur plafond",)),
    Scene("rights/public-agent", AGENT, page("rights"), shows=("À qui demander",)),
    Scene("rights/past-day", TOLD, on_a_past_day(400), shows=("À la fin du",)),
    Scene("rights/past-day-empty", CAMILLE, on_a_past_day(20_000), shows=("aucun droit n’était inscrit",)),
    Scene(
        "rights/past-day-refused",
        TOLD,
        on_a_past_day(-1),
        shows=("Ce jour n’est pas encore venu",),
        status=422,
    ),
]
