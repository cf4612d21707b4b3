"""What people ask, and what we answer: the questions of the help page, as data.

To add one: a `Question` in its subject. Amounts, delays and ages are never typed: write `{name}`, one of
`answers.facts_of`. `needs` hides a question while the page it is about does not exist; `when`, while the
law of the day makes it pointless. A `slug` is an address that people shared: it does not change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from rulebook import Rules
from support.states import Topic


class Subject(models.TextChoices):
    """The parts of the help page, in the order in which a person meets them. The value is its anchor."""

    RIGHTS = "mes-droits", _("Mes droits")
    SEARCH = "chercher", _("Chercher une formation")
    ENROL = "s-inscrire", _("S’inscrire")
    PAY = "payer", _("Payer")
    CANCEL = "annuler", _("Changer d’avis, annuler")
    DELAYS = "delais", _("Les délais")
    ACCOUNT = "compte", _("Compte et sécurité")
    ORGANISATIONS = "organismes", _("Organismes de formation")


@dataclass(frozen=True, slots=True)
class Question:
    """`answer`: paragraphs; `steps`: what to do, in order; `links`: (name of the page, its words)."""

    slug: str
    text: Any
    answer: tuple[Any, ...]
    steps: tuple[Any, ...] = ()
    links: tuple[tuple[str, Any], ...] = ()
    keywords: Any = ""
    needs: str = ""
    when: Callable[[Rules], bool] = lambda rules: True


SEARCH_LINK = ("search", _("Chercher une formation"))
RIGHTS_LINK = ("rights", _("Voir mes droits"))
DOSSIERS_LINK = ("dossiers", _("Voir mes dossiers"))
PROFILE_LINK = ("profile", _("Ouvrir mon profil"))
ACTIVATION_LINK = ("activation", _("Activer mon compte"))
REPORT_LINK = ("report_scam", _("Signaler un démarchage"))
PASSWORD_LINK = ("account_reset_password", _("Choisir un nouveau mot de passe"))
INBOX_LINK = ("provider_inbox", _("Voir les demandes reçues"))
OFFERS_LINK = ("provider_offers", _("Voir mes offres"))

QUESTIONS: dict[Subject, tuple[Question, ...]] = {
    Subject.RIGHTS: (
        Question(
            "combien-ai-je",
            _("Combien ai-je sur mon compte ?"),
            (
                _("Ouvrez « Mes droits ». Le total utilisable aujourd’hui est écrit en grand."),
                _("Dessous, chaque somme dit d’où elle vient, et ce qui s’est passé depuis."),
            ),
            links=(RIGHTS_LINK,),
            keywords=_("solde montant argent euros disponible cagnotte"),
        ),
        Question(
            "droits-expirent",
            _("Mes droits vont-ils expirer ?"),
            (
                _("Non. Vos droits restent à vous jusqu’à la retraite, même si vous ne faites rien."),
                _("Ils restent aussi à vous si vous changez d’emploi, ou si vous n’en avez plus."),
                _(
                    "Une somme ajoutée par un tiers, comme votre employeur, peut avoir une date de fin. "
                    "Elle est écrite dans « Mes droits »."
                ),
                _("Quelqu’un vous presse de les utiliser ? C’est une arnaque."),
            ),
            links=(RIGHTS_LINK, REPORT_LINK),
            keywords=_("perdre perdus disparaître périmés date limite fin urgence dernier jour"),
        ),
        Question(
            "mes-droits-manquent",
            _("Il me manque des droits. Que faire ?"),
            (
                _("Le portail montre les droits qui lui ont été transmis pour vous."),
                _(
                    "Les droits d’une année travaillée arrivent l’année suivante, après les déclarations "
                    "des employeurs."
                ),
                _("Une année manque encore ? Écrivez-nous : dites laquelle, et qui était votre employeur."),
            ),
            links=(RIGHTS_LINK,),
            keywords=_("erreur solde faux oubli année employeur manquant alimentation crédit"),
        ),
        Question(
            "retirer-argent",
            _("Puis-je retirer cet argent ?"),
            (
                _("Non. Ces droits paient des formations, rien d’autre."),
                _(
                    "On ne peut ni les retirer, ni les vendre. "
                    "Qui vous propose de l’argent contre eux vous trompe."
                ),
            ),
            links=(REPORT_LINK,),
            keywords=_("virement compte bancaire cash échanger vendre récupérer chèque"),
        ),
        Question(
            "donner-mes-droits",
            _("Puis-je donner mes droits à quelqu’un d’autre ?"),
            (_("Non, ni à un proche, ni à un collègue. Ils sont attachés à votre personne."),),
            keywords=_("enfant conjoint famille transférer offrir partager prêter"),
        ),
        Question(
            "agent-public",
            _("Je suis agent public. Puis-je m’inscrire ici ?"),
            (
                _(
                    "Non. Vos droits se comptent en heures, "
                    "et la demande se fait auprès de votre employeur public."
                ),
                _("Si vous avez aussi des droits en euros, « Mes droits » les montre à part."),
                _("Vous avez quitté la fonction publique ? Corrigez votre situation dans votre profil."),
            ),
            links=(PROFILE_LINK,),
            keywords=_("fonctionnaire mairie hôpital état territoriale heures contractuel enseignant"),
        ),
        Question(
            "retraite",
            _("Et à la retraite ?"),
            (
                _("À taux plein, les droits ne peuvent plus payer de formation."),
                _(
                    "À taux minoré, vous pouvez encore les utiliser. "
                    "Vérifiez votre situation dans votre profil."
                ),
            ),
            links=(PROFILE_LINK,),
            keywords=_("retraité pension âge senior"),
        ),
        Question(
            "demandeur-emploi",
            _("Je cherche un emploi. Qu’est-ce qui change ?"),
            (
                _("Vous gardez vos droits, et vous les utilisez sans demander d’accord."),
                _(
                    "Dites « Demandeur d’emploi » dans votre profil : "
                    "vos droits et votre reste à payer en dépendent."
                ),
                _(
                    "Le portail ne transmet pas encore de demande d’aide à France Travail. "
                    "Parlez-en à votre conseiller."
                ),
            ),
            links=(PROFILE_LINK,),
            keywords=_("chômage chômeur france travail pôle emploi conseiller inscrit"),
        ),
        Question(
            "heures-dif",
            _("Puis-je encore transférer mes heures de DIF ?"),
            (
                _(
                    "Non. Le DIF a été remplacé par le compte de formation, "
                    "et ce transfert a pris fin en 2021."
                ),
                _("Les heures transférées à temps sont déjà dans vos droits, en euros."),
            ),
            links=(RIGHTS_LINK,),
            keywords=_("droit individuel anciennes heures bulletin de paie report 2014"),
        ),
    ),
    Subject.SEARCH: (
        Question(
            "quelles-formations",
            _("Quelles formations puis-je payer avec mes droits ?"),
            (
                _(
                    "Celles qui préparent une certification reconnue : un diplôme, un titre, un certificat "
                    "inscrit au RNCP ou au RS."
                ),
                _(
                    "Et quelques autres : bilan de compétences, validation des acquis (VAE), "
                    "permis de conduire, "
                    "création d’entreprise."
                ),
                _("Tout ce que montre la recherche est ouvert. Le portail vérifie chaque jour."),
            ),
            links=(SEARCH_LINK,),
            keywords=_("éligible liste rncp rs diplôme certificat cléa anglais permis bilan vae"),
        ),
        Question(
            "rncp-rs",
            _("Que veulent dire RNCP et RS ?"),
            (
                _("Ce sont les deux listes officielles de certifications, tenues par France compétences."),
                _("Le RNCP contient les métiers. Le RS contient des savoir-faire précis, comme une langue."),
            ),
            keywords=_("répertoire national spécifique certification code numéro sigle"),
        ),
        Question(
            "formation-disparue",
            _("Une formation a disparu de la recherche. Pourquoi ?"),
            (
                _(
                    "La certification a pris fin, l’organisme n’y est plus habilité, "
                    "ou il a retiré son offre. "
                    "On ne peut alors plus s’y inscrire."
                ),
                _("Une inscription déjà confirmée n’est pas touchée."),
                _("Cherchez la même certification : un autre organisme la propose peut-être."),
            ),
            links=(SEARCH_LINK,),
            keywords=_("introuvable plus visible retirée fermée inactive supprimée"),
        ),
        Question(
            "session-trop-proche",
            _("Pourquoi ne puis-je pas choisir une session qui commence bientôt ?"),
            (
                _(
                    "Il faut {earliest_start} au moins entre la proposition de l’organisme et le premier "
                    "jour. "
                    "Personne ne peut réduire ce délai."
                ),
                _("Choisissez une session plus tardive, ou demandez à l’organisme sa prochaine date."),
            ),
            links=(SEARCH_LINK,),
            keywords=_("demain grisée date début rapide minimum avant onze"),
            when=lambda rules: rules.earliest_start_days > 0,
        ),
        Question(
            "a-distance",
            _("Puis-je me former à distance ?"),
            (_("Oui. Dans la recherche, choisissez « À distance » parmi les façons de se former."),),
            links=(SEARCH_LINK,),
            keywords=_("internet en ligne visio chez moi e-learning"),
        ),
        Question(
            "choisir-organisme",
            _("Comment choisir un organisme ?"),
            (
                _("Comparez ce que chaque offre écrit : le programme, les dates, le lieu, le prix."),
                _(
                    "Appelez l’organisme avant de vous inscrire : à qui s’adresse la formation, "
                    "et comment finit-elle ?"
                ),
                _(
                    "Méfiez-vous d’un cadeau, d’une remise en argent ou d’une pression pour signer vite : "
                    "c’est interdit."
                ),
                _(
                    "Un conseiller en évolution professionnelle (CEP) peut vous aider à choisir. "
                    "C’est gratuit."
                ),
            ),
            links=(SEARCH_LINK, REPORT_LINK),
            keywords=_("école comparer sérieux avis qualiopi conseil cep"),
        ),
        Question(
            "avis-des-stagiaires",
            _("D’où viennent les avis sur une formation ?"),
            (
                _(
                    "De personnes qui l’ont suivie par ce portail jusqu’à sa fin : un avis par dossier, "
                    "sans contrepartie."
                ),
                _(
                    "Les notes comptent tout de suite. Un texte est lu par une personne du portail avant "
                    "d’être publié."
                ),
                _("Votre formation est terminée ? Donnez votre avis depuis la page de votre dossier."),
            ),
            links=(SEARCH_LINK, DOSSIERS_LINK),
            keywords=_("note étoiles commentaire témoignage évaluation satisfaction"),
        ),
    ),
    Subject.ENROL: (
        Question(
            "comment-s-inscrire",
            _("Comment m’inscrire à une formation ?"),
            (_("Vous seul pouvez le faire : personne ne peut s’inscrire à votre place."),),
            steps=(
                _("Trouvez une formation, et choisissez une session."),
                _("Créez votre dossier, dites pourquoi cette formation, envoyez."),
                _("L’organisme a {provider_answer} pour vous faire une proposition."),
                _(
                    "Vous avez {holder_answer} pour la lire et la valider. "
                    "Vos droits sont réservés à ce moment."
                ),
                _("S’il reste une somme, vous la payez. Votre inscription est alors confirmée."),
            ),
            links=(SEARCH_LINK,),
            keywords=_("inscription étapes dossier démarche procédure créer envoyer"),
        ),
        Question(
            "valider-deux-fois",
            _("Pourquoi dois-je valider, alors que j’ai déjà envoyé ma demande ?"),
            (
                _(
                    "Envoyer, c’est demander. L’organisme peut changer le prix ou les dates, "
                    "et doit dire pourquoi."
                ),
                _("Valider, c’est dire oui à sa proposition. Rien n’est réservé ni payé avant."),
                _("Vous avez {holder_answer} pour valider. Après, le dossier s’arrête et rien n’est perdu."),
            ),
            links=(DOSSIERS_LINK,),
            keywords=_("confirmer seconde fois encore proposition accepter répondre"),
        ),
        Question(
            "organisme-ne-repond-pas",
            _("L’organisme ne répond pas. Que se passe-t-il ?"),
            (
                _(
                    "Il a {provider_answer}. Sans réponse, votre demande s’arrête d’elle-même. "
                    "Rien n’a été réservé."
                ),
                _("Nous vous prévenons. Vous pouvez refaire une demande, au même organisme ou à un autre."),
            ),
            links=(DOSSIERS_LINK,),
            keywords=_("silence attente toujours rien sans suite nouvelle"),
        ),
        Question(
            "demande-refusee",
            _("L’organisme a refusé ma demande. Pourquoi ?"),
            (
                _("Sa raison est écrite dans votre dossier. Vos droits n’ont pas bougé."),
                _(
                    "Elle ne vous convient pas ? Appelez-le, "
                    "ou choisissez une autre session ou un autre organisme."
                ),
            ),
            links=(DOSSIERS_LINK, SEARCH_LINK),
            keywords=_("refus rejet motif complet prérequis"),
        ),
        Question(
            "plusieurs-demandes",
            _("Puis-je envoyer plusieurs demandes à la fois ?"),
            (
                _("Oui. Pour une même formation, {requests} demandes au plus peuvent attendre une réponse."),
                _("Envoyer ne réserve rien. Vos droits ne servent qu’à ce que vous validez."),
            ),
            links=(DOSSIERS_LINK,),
            keywords=_("nombre maximum limite simultanées plusieurs organismes"),
            when=lambda rules: rules.simultaneous_requests_max > 1,
        ),
        Question(
            "age-minimum",
            _("À partir de quel âge peut-on s’inscrire ?"),
            (
                _(
                    "{age} ans, ou {age_apprentice} ans avec un contrat d’apprentissage : "
                    "indiquez-le dans votre profil."
                ),
            ),
            links=(PROFILE_LINK,),
            keywords=_("mineur jeune apprenti apprentissage ans"),
        ),
        Question(
            "prevenir-employeur",
            _("Dois-je prévenir mon employeur ?"),
            (
                _("Hors du temps de travail, non. Il n’est pas informé."),
                _("Pendant le temps de travail, oui. Son accord se demande par écrit, bien avant le début."),
                _(
                    "La loi fixe ces délais selon la durée de la formation. "
                    "Votre service du personnel les connaît."
                ),
            ),
            keywords=_("patron salarié travail accord congé autorisation absence temps salaire"),
        ),
        Question(
            "passer-l-examen",
            _("Dois-je passer l’examen ?"),
            (
                _(
                    "Oui, quand la formation prépare une certification : "
                    "vous vous y engagez en vous inscrivant."
                ),
                _("Avant de choisir, demandez à l’organisme quand et où il a lieu."),
            ),
            keywords=_("obligation certification épreuve test diplôme présenter"),
        ),
        Question(
            "dossier-ferme-portail",
            _("Le portail a clos mon dossier. Pourquoi ?"),
            (
                _(
                    "La certification de cette formation a pris fin, ou ne peut plus être préparée. "
                    "La raison est écrite dans le dossier."
                ),
                _("Rien n’a été débité. Cherchez une formation proche : elle a souvent une remplaçante."),
            ),
            links=(DOSSIERS_LINK, SEARCH_LINK),
            keywords=_("close par le portail arrêté fermé certification inactive"),
        ),
    ),
    Subject.PAY: (
        Question(
            "combien-vais-je-payer",
            _("Combien vais-je payer ?"),
            (
                _(
                    "Le dossier l’écrit, au centime près, avant que vous validiez : vos droits, "
                    "puis ce qui reste."
                ),
                _(
                    "Si vos droits suffisent, il ne reste que la participation obligatoire, "
                    "quand elle s’applique."
                ),
            ),
            links=(DOSSIERS_LINK,),
            keywords=_("prix coût reste à charge montant tarif gratuit facture"),
        ),
        Question(
            "participation-obligatoire",
            _("Qu’est-ce que la participation obligatoire ?"),
            (
                _(
                    "Depuis 2024, la loi demande à chacun une part du prix : {participation} cette année. "
                    "Vos droits ne peuvent pas la payer."
                ),
                _("Elle est comprise dans ce qui reste à payer. Elle ne s’ajoute pas."),
                _(
                    "Vous n’avez rien à payer à ce titre si vous cherchez un emploi, ou si votre employeur, "
                    "un accord ou un OPCO participe."
                ),
                _("Un organisme de formation n’a pas le droit de la payer pour vous."),
            ),
            keywords=_("ticket modérateur forfait exonéré dispense cent euros reste"),
            when=lambda rules: rules.participation_cents > 0,
        ),
        Question(
            "comment-payer",
            _("Comment payer ce qui reste ?"),
            (
                _(
                    "Par carte, tout de suite, ou par virement du montant exact, avec la référence donnée. "
                    "Tout est dans votre dossier : « Payer ce qui reste »."
                ),
                _(
                    "Vous avez {payment} après votre validation. "
                    "L’inscription est confirmée quand le paiement est reçu."
                ),
                _(
                    "La carte est tapée chez notre service de paiement : "
                    "le portail ne voit jamais son numéro."
                ),
                _("Ne payez jamais un organisme directement pour une inscription faite ici."),
            ),
            links=(DOSSIERS_LINK,),
            keywords=_("carte bancaire virement iban référence paiement bleue"),
        ),
        Question(
            "paiement-refuse",
            _("Mon paiement a été refusé. Que faire ?"),
            (
                _("Votre dossier reste ouvert jusqu’à la fin du délai de paiement. Vous pouvez recommencer."),
                _(
                    "Essayez une autre carte, ou payez par virement. "
                    "Si cela recommence, appelez votre banque."
                ),
                _("Sans paiement à temps, le dossier s’arrête et vos droits vous sont rendus."),
            ),
            links=(DOSSIERS_LINK,),
            keywords=_("échec rejet banque virement retourné"),
        ),
        Question(
            "pas-assez-de-droits",
            _("Je n’ai pas assez de droits. Qui peut m’aider ?"),
            (
                _(
                    "Vous pouvez payer la différence vous-même : "
                    "le dossier en écrit le montant avant tout accord."
                ),
                _(
                    "Votre employeur, un OPCO ou votre région peut ajouter une somme, "
                    "qu’on appelle un abondement. "
                    "Elle apparaît dans « Mes droits » dès qu’elle nous est transmise."
                ),
            ),
            links=(RIGHTS_LINK,),
            keywords=_("abondement compléter manque aide financement employeur opco région dotation"),
        ),
        Question(
            "quels-droits-d-abord",
            _("Dans quel ordre mes droits sont-ils utilisés ?"),
            (
                _("La loi fixe l’ordre, selon qui vous a donné chaque somme. Il ne change jamais le total."),
                _("Parmi des sommes de même origine, celle qui finit le plus tôt sert d’abord."),
                _("Le dossier montre chaque ligne, avec sa raison, avant votre validation."),
            ),
            links=(RIGHTS_LINK,),
            keywords=_("dotation abondement priorité poche ordre débit"),
        ),
    ),
    Subject.CANCEL: (
        Question(
            "changer-d-avis",
            _("Puis-je changer d’avis ?"),
            (
                _(
                    "Avant de valider, toujours. Annulez la demande ou refusez la proposition : "
                    "rien n’était réservé."
                ),
                _(
                    "Après avoir validé, vous avez {withdrawal} pour vous rétracter, "
                    "tant que la formation n’a pas "
                    "commencé."
                ),
                _(
                    "Vous le pouvez aussi plus tard, jusqu’à {free_cancellation} avant le premier jour. "
                    "La date la plus favorable s’applique."
                ),
                _("Le dossier écrit ce dernier moment, au jour et à l’heure."),
            ),
            links=(DOSSIERS_LINK,),
            keywords=_("rétractation rétracter annuler renoncer délai sans frais"),
        ),
        Question(
            "comment-annuler",
            _("Comment annuler mon inscription ?"),
            (_("Personne d’autre que vous ne peut le faire, et cela ne demande aucune justification."),),
            steps=(
                _("Ouvrez « Mes dossiers », puis le dossier."),
                _("Choisissez « Annuler », « Refuser » ou « Me rétracter », selon son état."),
                _("Lisez ce qui vous est rendu, et confirmez."),
            ),
            links=(DOSSIERS_LINK,),
            keywords=_("annulation résilier supprimer désinscrire arrêter"),
        ),
        Question(
            "que-me-rend-on",
            _("Que me rend-on si j’annule à temps ?"),
            (
                _("Tout, au centime près. Vos droits reviennent sur votre compte aussitôt."),
                _("Ce que vous avez payé vous est remboursé."),
                _(
                    "Une somme d’un tiers qui avait une date de fin la garde : passée cette date, "
                    "elle ne sert plus."
                ),
            ),
            links=(RIGHTS_LINK,),
            keywords=_("remboursement rembourser retour recrédité récupérer droits"),
        ),
        Question(
            "trop-tard-pour-annuler",
            _("Il est trop tard pour annuler sans frais. Que faire ?"),
            (
                _(
                    "Le portail n’annule plus le dossier en ligne. "
                    "Appelez l’organisme pour convenir de la suite."
                ),
                _(
                    "Sans raison grave, une annulation tardive ou une absence peut vous coûter les droits "
                    "réservés."
                ),
                _(
                    "Maladie, accident, décès d’un proche, reprise d’emploi : "
                    "gardez un justificatif et prévenez vite."
                ),
            ),
            links=(DOSSIERS_LINK,),
            keywords=_("force majeure malade hôpital absence perdre pénalité frais"),
        ),
        Question(
            "organisme-annule",
            _("L’organisme annule la formation. Qu’est-ce que je perds ?"),
            (
                _("Rien. Tout ce qui était réservé vous revient, et ce que vous avez payé est remboursé."),
                _("Sa raison est écrite dans votre dossier."),
            ),
            links=(DOSSIERS_LINK, SEARCH_LINK),
            keywords=_("annulée annulation école ferme session"),
        ),
        Question(
            "organisme-reporte",
            _("L’organisme reporte la formation. Que puis-je faire ?"),
            (
                _("Vous choisissez : accepter les nouvelles dates, ou partir sans frais."),
                _(
                    "Vous avez {postponement} pour répondre. Sans réponse, l’inscription est défaite, "
                    "et tout vous est rendu."
                ),
                _("Tant que vous n’avez pas répondu, rien ne peut vous être pris, même à la veille."),
                _("Si vous acceptez, le prix ne change pas, et un nouveau délai sans frais s’ouvre."),
            ),
            links=(DOSSIERS_LINK,),
            keywords=_("report reportée décalée déplacée autres dates session repoussée"),
        ),
    ),
    Subject.DELAYS: (
        Question(
            "jours-ouvres",
            _("Qu’est-ce qu’un jour ouvré ?"),
            (
                _("Un jour du lundi au vendredi, sauf les jours fériés."),
                _(
                    "Le décompte commence le lendemain, et finit à minuit, heure de Paris. "
                    "Chaque page écrit la date exacte."
                ),
            ),
            keywords=_("ouvrable férié week-end samedi compter calendrier calcul"),
        ),
        Question(
            "delai-depasse",
            _("J’ai laissé passer un délai. Est-ce grave ?"),
            (
                _(
                    "Non. Le dossier est sans suite : rien n’est débité, "
                    "et ce qui était réservé vous revient."
                ),
                _("Refaites une demande si la session est encore ouverte."),
                _(
                    "Une panne du portail vous a empêché d’agir ? Écrivez-nous : "
                    "le temps perdu peut être rendu."
                ),
            ),
            links=(DOSSIERS_LINK,),
            keywords=_("oublié retard trop tard expiré sans suite panne"),
        ),
        Question(
            "serai-je-prevenu",
            _("Serai-je prévenu avant la fin d’un délai ?"),
            (
                _(
                    "Oui, par e-mail et dans « Mes notifications » : plusieurs fois, "
                    "la dernière au matin du dernier jour."
                ),
                _(
                    "Vous ne recevez rien ? Regardez dans les courriers indésirables, "
                    "et vérifiez votre adresse."
                ),
            ),
            links=(("notices", _("Lire mes notifications")), ("account_email", _("Vérifier mon adresse"))),
            keywords=_("rappel notification mail alerte reçu spam indésirable"),
        ),
        Question(
            "agenda",
            _("Puis-je voir mes délais dans mon agenda ?"),
            (
                _(
                    "Oui. Une adresse personnelle montre vos dates dans l’agenda de votre téléphone ou de "
                    "votre ordinateur."
                ),
                _("Cette adresse est privée : ne la donnez à personne."),
            ),
            links=(("calendar", _("Relier mon agenda")),),
            keywords=_("calendrier ics google outlook téléphone dates"),
            needs="calendar",
        ),
    ),
    Subject.ACCOUNT: (
        Question(
            "activer-mon-compte",
            _("Comment activer mon compte de formation ?"),
            (
                _(
                    "Vos droits existent peut-être déjà, à votre nom. Activer, "
                    "c’est prouver que ce nom est le vôtre."
                ),
            ),
            steps=(
                _("Créez un compte avec votre adresse e-mail, et ouvrez le lien reçu."),
                _(
                    "Écrivez votre nom, vos prénoms et votre date de naissance, "
                    "comme sur votre pièce d’identité."
                ),
                _("Vos droits s’affichent."),
            ),
            links=(ACTIVATION_LINK,),
            keywords=_("créer ouvrir compte première fois inscription connexion"),
        ),
        Question(
            "activation-refusee",
            _("Mon compte ne s’active pas. Que vérifier ?"),
            (
                _("Le nom : celui de naissance ou d’usage. Accents, tirets et majuscules ne comptent pas."),
                _("Le premier prénom, en entier s’il est composé. La date : jour, mois, année."),
                _(
                    "Après {attempts} essais, il faut attendre un peu : c’est ce qui protège votre compte. "
                    "La page dit jusqu’à quand."
                ),
                _(
                    "Tout est juste ? Écrivez-nous, sans votre numéro de sécurité sociale. "
                    "Nous vous dirons comment prouver votre identité autrement."
                ),
            ),
            links=(ACTIVATION_LINK,),
            keywords=_("bloqué nom de jeune fille naissance usage mariée identité reconnu impossible"),
        ),
        Question(
            "mot-de-passe-oublie",
            _("J’ai oublié mon mot de passe"),
            (
                _("Demandez un lien : il arrive à votre adresse e-mail et sert une seule fois."),
                _(
                    "Rien n’arrive ? Regardez dans les courriers indésirables. "
                    "Vous avez peut-être une autre adresse."
                ),
            ),
            links=(PASSWORD_LINK,),
            keywords=_("connexion connecter perdu réinitialiser changer accès code"),
        ),
        Question(
            "changer-adresse",
            _("Comment changer d’adresse e-mail ou de téléphone ?"),
            (
                _(
                    "L’adresse e-mail se change dans « Ma connexion ». "
                    "Elle sert dès que vous avez ouvert le lien reçu."
                ),
                _("Le téléphone et l’adresse postale se changent dans « Mon profil »."),
            ),
            links=(("account_email", _("Changer d’adresse e-mail")), PROFILE_LINK),
            keywords=_("coordonnées modifier mail numéro déménagement profil"),
        ),
        Question(
            "erreur-identite",
            _("Mon nom ou ma date de naissance est faux"),
            (
                _("Vous ne pouvez pas le changer vous-même : c’est ce qui empêche de prendre votre compte."),
                _(
                    "Écrivez-nous. Nous corrigeons sur présentation d’une pièce d’identité, "
                    "et vous en êtes prévenu."
                ),
            ),
            keywords=_("identité corriger mariage nom usage erreur état civil prénom"),
        ),
        Question(
            "reconnaitre-arnaque",
            _("Comment reconnaître une arnaque ?"),
            (
                _(
                    "Personne ne vous appelle pour vos droits : ni nous, ni un organisme « mandaté ». "
                    "Raccrochez."
                ),
                _(
                    "La loi interdit de démarcher les titulaires d’un compte, par téléphone, SMS, "
                    "e-mail ou réseau social."
                ),
                _(
                    "Nous ne demandons jamais votre mot de passe, ni un code reçu par SMS, "
                    "ni votre numéro de "
                    "sécurité sociale par e-mail."
                ),
                _("Un doute sur un message ? N’ouvrez pas son lien. Tapez vous-même l’adresse du portail."),
            ),
            links=(REPORT_LINK,),
            keywords=_("fraude appel téléphone démarchage sms faux phishing escroquerie hameçonnage"),
        ),
        Question(
            "j-ai-donne-mes-codes",
            _("J’ai donné mon mot de passe ou un code. Que faire ?"),
            (_("Agissez dans cet ordre, tout de suite."),),
            steps=(
                _("Choisissez un nouveau mot de passe : l’ancien ne sert plus."),
                _("Regardez « Mes droits » et « Mes dossiers ». Annulez ce que vous n’avez pas demandé."),
                _("Si vous avez donné votre carte bancaire, appelez votre banque."),
                _("Signalez-le-nous. Vous pouvez aussi porter plainte."),
            ),
            links=(PASSWORD_LINK, ("account_freeze", _("Geler mon compte")), DOSSIERS_LINK, REPORT_LINK),
            keywords=_("piraté volé usurpation fraude pirate compte vidé plainte code sms"),
        ),
        Question(
            "geler-mon-compte",
            _("Puis-je bloquer mon compte pour que personne n’y touche ?"),
            (
                _("Oui. « Geler mon compte » arrête toute nouvelle inscription et tout changement."),
                _("Vos dossiers en cours continuent, et leurs délais aussi. Vous pouvez toujours annuler."),
            ),
            links=(("account_freeze", _("Geler mon compte")),),
            keywords=_("geler bloquer suspendre protéger verrouiller pirate"),
            needs="account_freeze",
        ),
        Question(
            "mes-donnees",
            _("Que faites-vous de mes données ?"),
            (
                _("Nous gardons ce qui sert à votre compte et à vos dossiers. Rien n’est vendu."),
                _("Un organisme ne voit que les dossiers que vous lui envoyez, et jamais votre solde."),
                _("Vous pouvez demander une copie de vos données, les faire corriger, ou saisir la CNIL."),
            ),
            links=(("personal_data", _("Lire la page des données personnelles")),),
            keywords=_("rgpd cnil vie privée confidentialité supprimer copie personnelles"),
        ),
        Question(
            "quand-repondez-vous",
            _("En combien de temps répondez-vous ?"),
            (
                _("En {answer} au plus. Chaque demande d’aide porte la date promise."),
                _("Vous pouvez la compléter, la clore, et la rouvrir pendant {reopen}."),
            ),
            links=(("contact", _("Nous écrire")), ("tickets", _("Voir mes demandes d’aide"))),
            keywords=_("contact joindre téléphone réponse délai écrire demande aide"),
        ),
    ),
    Subject.ORGANISATIONS: (
        Question(
            "rejoindre",
            _("Comment proposer mes formations sur le portail ?"),
            (
                _(
                    "Il faut un SIRET, un numéro de déclaration d’activité, et le certificat Qualiopi de vos "
                    "actions. Il faut aussi être habilité à préparer chaque certification."
                ),
                _("Votre demande se remplit en plusieurs fois. Vous en suivez l’état et les délais."),
            ),
            links=(("join", _("Rejoindre le portail")),),
            keywords=_("référencement organisme école inscrire adhérer nda siret qualiopi accès"),
            needs="join",
        ),
        Question(
            "repondre-a-une-demande",
            _("Une demande arrive. Combien de temps ai-je pour répondre ?"),
            (
                _(
                    "{provider_answer}, jusqu’à minuit du dernier. "
                    "La liste montre d’abord celle qui finit le plus tôt."
                ),
                _("Sans réponse, la demande s’arrête d’elle-même, et la personne est prévenue."),
            ),
            links=(INBOX_LINK,),
            keywords=_("organisme délai réponse demandes reçues traiter titulaire"),
        ),
        Question(
            "changer-prix-dates",
            _("Puis-je proposer un autre prix ou d’autres dates ?"),
            (
                _("Oui, en disant pourquoi : la personne lit votre explication avant de valider."),
                _("Le premier jour vient {earliest_start} au moins après votre proposition."),
            ),
            links=(INBOX_LINK,),
            keywords=_("organisme modifier tarif proposition session date"),
        ),
        Question(
            "offre-masquee",
            _("Mon offre n’apparaît pas. Pourquoi ?"),
            (
                _(
                    "« Mes offres » écrit la raison, offre par offre : certification, habilitation, "
                    "Qualiopi, session."
                ),
                _(
                    "Une certification a une date de fin. Ensuite, "
                    "reprenez vos offres sous le numéro qui la remplace."
                ),
            ),
            links=(OFFERS_LINK,),
            keywords=_("organisme invisible cachée fermée rncp inactive habilitation catalogue"),
        ),
        Question(
            "certification-qui-s-arrete",
            _("Une certification s’arrête. Que deviennent mes offres ?"),
            (
                _(
                    "Nous vous avertissons {warnings} mois avant. À la fin du dernier jour, à minuit, "
                    "vos offres quittent la recherche."
                ),
                _(
                    "Les inscriptions confirmées continuent. Les demandes et propositions en attente sont "
                    "closes, avec une explication."
                ),
            ),
            steps=(
                _("Ouvrez « Certifications qui s’arrêtent », depuis « Mes offres »."),
                _("Reprenez vos offres pour la certification qui la remplace : un bouton les copie toutes."),
                _("Relisez chaque brouillon, puis publiez-le."),
                _("Archivez les anciennes offres. Elles gardent leurs dossiers."),
            ),
            links=(("provider_endings", _("Voir les dates et quoi faire")),),
            keywords=_("organisme rncp rs fin date remplacée inactive expirée migration reprendre"),
        ),
        Question(
            "vie-d-une-offre",
            _("Masquer, archiver, supprimer une offre : quelle différence ?"),
            (
                _("Masquée, une offre n’accepte plus d’inscription. Vous la montrez de nouveau d’un clic."),
                _("Archivée, elle quitte votre liste courante. Elle garde ses dossiers, et se ressort."),
                _("Supprimée, elle disparaît. C’est possible si personne n’y a jamais eu de dossier."),
                _("Pour beaucoup d’offres, cochez-les, ou cochez toute la liste trouvée."),
            ),
            links=(OFFERS_LINK,),
            keywords=_("organisme masquer cacher archiver supprimer effacer retirer offre lot"),
        ),
        Question(
            "declaration-et-bilan",
            _("Ma déclaration d’activité ferme mes offres. Que faire ?"),
            (
                _(
                    "Une offre demande une déclaration d’activité en vigueur et un bilan pédagogique et "
                    "financier transmis chaque année. Le dernier était attendu le {report_due} au plus tard."
                ),
                _(
                    "Nous lisons la liste publique des organismes. Sans bilan, ou avec un bilan vide, "
                    "la déclaration devient caduque."
                ),
                _("Régularisez auprès de la DREETS. Puis écrivez-nous, si la liste tarde à changer."),
            ),
            links=(OFFERS_LINK, ("contact", _("Nous écrire"))),
            keywords=_("organisme nda bpf déclaration activité bilan pédagogique financier caduque dreets"),
        ),
        Question(
            "annuler-une-session",
            _("Je dois annuler une inscription. Comment faire ?"),
            (
                _(
                    "Ouvrez le dossier et annulez-le avant le premier jour, avec votre raison. "
                    "Elle est dite à la personne."
                ),
                _("Elle retrouve tous ses droits, et ce qu’elle a payé."),
            ),
            links=(INBOX_LINK,),
            keywords=_("organisme annulation session formateur absent"),
        ),
        Question(
            "pourquoi-pas-le-solde",
            _("Pourquoi ne vois-je pas le solde d’un titulaire ?"),
            (
                _(
                    "Ce qu’une personne possède ne regarde qu’elle. Le dossier vous donne le prix, "
                    "les dates et son projet."
                ),
                _("Ne lui demandez jamais son mot de passe, et ne vous inscrivez pas à sa place."),
            ),
            keywords=_("organisme solde droits titulaire montant voir mot de passe"),
        ),
        Question(
            "demarcher",
            _("Puis-je appeler des titulaires pour leur proposer une formation ?"),
            (
                _(
                    "Non. La loi n° 2022-1587 interdit de démarcher les titulaires d’un compte. "
                    "Vous pouvez répondre à qui vous a contacté."
                ),
            ),
            keywords=_("organisme démarchage publicité appel prospection commercial interdit"),
        ),
    ),
}

# What a person has read about before they write to us, by the topic they chose.
SUBJECTS_OF: dict[Topic, tuple[Subject, ...]] = {
    Topic.RIGHTS: (Subject.RIGHTS,),
    Topic.DOSSIER: (Subject.ENROL, Subject.CANCEL, Subject.PAY),
    Topic.IDENTITY: (Subject.ACCOUNT,),
    Topic.SAFETY: (Subject.ACCOUNT,),
    Topic.TECHNICAL: (Subject.ACCOUNT, Subject.DELAYS),
    Topic.PERSONAL_DATA: (Subject.ACCOUNT,),
    Topic.ORGANISATION: (Subject.ORGANISATIONS,),
    Topic.SCAM: (Subject.ACCOUNT,),
    Topic.OTHER: (),
}
# Those that answer a topic best, first.
FIRST_OF: dict[Topic, tuple[str, ...]] = {
    Topic.RIGHTS: ("mes-droits-manquent", "droits-expirent", "combien-ai-je", "pas-assez-de-droits"),
    Topic.DOSSIER: (
        "organisme-ne-repond-pas",
        "valider-deux-fois",
        "comment-annuler",
        "comment-payer",
        "delai-depasse",
    ),
    Topic.IDENTITY: ("activation-refusee", "activer-mon-compte", "erreur-identite"),
    Topic.SAFETY: ("j-ai-donne-mes-codes", "geler-mon-compte", "reconnaitre-arnaque", "mot-de-passe-oublie"),
    Topic.TECHNICAL: ("mot-de-passe-oublie", "serai-je-prevenu", "activation-refusee", "delai-depasse"),
    Topic.PERSONAL_DATA: ("mes-donnees", "erreur-identite", "changer-adresse"),
    Topic.ORGANISATION: ("rejoindre", "offre-masquee", "repondre-a-une-demande", "changer-prix-dates"),
    Topic.SCAM: ("reconnaitre-arnaque", "j-ai-donne-mes-codes", "geler-mon-compte"),
    Topic.OTHER: ("comment-s-inscrire", "changer-d-avis", "quand-repondez-vous"),
}
