"""What a holder sees of their home, rights, dossiers, calendar and notices, beyond the pages of holder.py."""

from tests.scenes import ADMIN, CAMILLE, MALIK, MEMBER, Scene, page, press, send
from tests.scenes.holder import dossier
from tests.scenes.stage import NEWCOMER, WITHOUT_ACCOUNT

SCENES = [
    Scene(
        "desk/home-in-demand",
        CAMILLE,
        page("home"),
        shows=("Vos prochaines dates", "css=article.card--waiting"),
    ),
    Scene("desk/home-first-steps-open", CAMILLE, page("home"), then=press("Vos premiers pas")),
    Scene("desk/home-newcomer-steps", NEWCOMER, page("home"), shows=("Handicap", "Rien ne presse")),
    Scene("desk/rights-sources", CAMILLE, page("rights"), then=press("Voir d’où vient chaque somme")),
    Scene("desk/rights-one-kind", CAMILLE, page("rights", "sorte=reserve"), shows=("Sommes réservées",)),
    Scene(
        "desk/rights-nothing-found", CAMILLE, page("rights", "sorte=reversal"), shows=("Aucune opération",)
    ),
    Scene("desk/dossiers-to-do", CAMILLE, page("dossiers", "voir=a-faire"), shows=("À vous d’agir",)),
    Scene("desk/dossiers-over", CAMILLE, page("dossiers", "voir=termines")),
    Scene("desk/dossiers-nothing-found", CAMILLE, page("dossiers", "q=zzzyx"), shows=("Aucun dossier",)),
    Scene(
        "desk/dossier-withdrawing",
        CAMILLE,
        dossier(CAMILLE, state="accepted"),
        then=press("Me rétracter"),
        shows=("Me rétracter et tout récupérer",),
    ),
    Scene(
        "desk/dossier-refused-to-send",
        CAMILLE,
        dossier(CAMILLE, state="draft"),
        then=lambda shown: send(shown, "main form[action$=envoyer]"),
        status=422,
        shows=("à corriger",),
    ),
    Scene("desk/calendar", CAMILLE, page("calendar"), shows=("Créer mon adresse d’agenda",)),
    Scene("desk/calendar-followed", MALIK, page("calendar"), shows=("Refaire l’adresse",)),
    Scene("desk/calendar-nothing", NEWCOMER, page("calendar"), shows=("Aucune date",)),
    Scene("desk/calendar-without-account", WITHOUT_ACCOUNT, page("calendar"), shows=("Activer mon compte",)),
    Scene("desk/calendar-of-an-organisation", MEMBER, page("calendar"), shows=("Aucun nom de titulaire",)),
    Scene("desk/calendar-for-no-admin", ADMIN, page("calendar"), status=403),
    Scene("desk/notices-unread", CAMILLE, page("notices", "voir=a-lire"), shows=("À lire",)),
    Scene("desk/notices-all-read", NEWCOMER, page("notices", "voir=a-lire")),
]
