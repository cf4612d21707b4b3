"""What a pocket and a movement can be, and the ways value may take. Start reading `rights` here.

`ROUTES` says from which kinds of pocket to which each kind of movement goes. From it are derived,
never retyped: the trigger that refuses any other way, and the check that would find one.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Unit(models.TextChoices):
    EUR_CENT = "eur_cent", _("centime d’euro")
    HOUR = "hour", _("heure")


class WorkStatus(models.TextChoices):
    """What somebody was in a year, for the annual credit (rights.crediting)."""

    PRIVATE = "private", _("Salarié du privé")
    FIXED_TERM = "fixed_term", _("Salarié en CDD")
    TEMP = "temp", _("Intérimaire")
    SEASONAL = "seasonal", _("Saisonnier")
    ENTERTAINMENT = "entertainment", _("Intermittent du spectacle")
    APPRENTICE = "apprentice", _("Apprenti")
    ESAT = "esat", _("Travailleur en ESAT")
    SELF_EMPLOYED = "self_employed", _("Indépendant ou profession libérale")
    ARTIST_AUTHOR = "artist_author", _("Artiste-auteur")
    PUBLIC = "public", _("Agent public")
    PUBLIC_CATEGORY_C = "public_category_c", _("Agent public de catégorie C sans diplôme de niveau 3")
    JOB_SEEKER = "job_seeker", _("Demandeur d’emploi")
    INTERN = "intern", _("Stagiaire")
    RETIRED_FULL_RATE = "retired_full_rate", _("Retraité à taux plein")
    RETIRED_REDUCED_RATE = "retired_reduced_rate", _("Retraité à taux minoré qui travaille")


class Measure(models.TextChoices):
    """In what the work of a year is said."""

    HOURS = "hours", _("heures")
    DAYS = "days", _("jours")
    MONTHS = "months", _("mois")
    PAY_CENTS = "pay_cents", _("rémunération en centimes")


class DeclarationKind(models.TextChoices):
    LOW_QUALIFIED = "low_qualified", _("Sans diplôme de niveau 3")
    BOE = "boe", _("Bénéficiaire de l’obligation d’emploi")
    # Where a public and a private activity weigh the same in a year, the holder chooses the unit.
    PREFERS_HOURS = "prefers_hours", _("Heures plutôt qu’euros, à activités égales")


class DeclarationState(models.TextChoices):
    PROPOSED = "proposed", _("À examiner")
    CONFIRMED = "confirmed", _("Confirmée")
    REFUSED = "refused", _("Refusée")
    WITHDRAWN = "withdrawn", _("Retirée")


class PocketKind(models.TextChoices):
    # What a holder owns: purses
    ANNUAL = "annual", _("Droits annuels")
    INCREASE = "increase", _("Majoration")
    DIF = "dif", _("Droits issus du DIF")
    VOLUNTEER = "volunteer", _("Engagement citoyen (CEC)")
    CREDIT = "credit", _("Avoir")
    DOTATION = "dotation", _("Dotation")
    CORRECTIVE = "corrective", _("Droits correctifs")
    PROFESSIONAL_RISK = "professional_risk", _("Compte de prévention (C2P)")
    WORK_ACCIDENT = "work_accident", _("Accident du travail ou maladie professionnelle")
    TOP_UP = "top_up", _("Abondement")
    # What a funder has paid in and not granted yet
    ENVELOPE = "envelope", _("Enveloppe d’un financeur")
    # Where a dossier's money is, one pocket a line: before the training begins, then from the first day on
    RESERVED = "reserved", _("Réservé pour une formation")
    SPENT = "spent", _("Débité pour une formation commencée")
    # What is due to a training organisation, one pocket each
    PROVIDER = "provider", _("Dû à un organisme de formation")
    # The outside world
    STATE = "state", _("État")
    STATE_TOP_UP = "state_top_up", _("Abondement numérique de l’État")
    FUNDER = "funder", _("Financeur")
    CARD = "card", _("Paiement du titulaire")
    FORFEITED = "forfeited", _("Droits perdus")
    CONVERSION = "conversion", _("Conversion d’heures et d’euros")


P = PocketKind
HOLDER_KINDS = (
    P.ANNUAL,
    P.INCREASE,
    P.DIF,
    P.VOLUNTEER,
    P.CREDIT,
    P.DOTATION,
    P.CORRECTIVE,
    P.PROFESSIONAL_RISK,
    P.WORK_ACCIDENT,
    P.TOP_UP,
)
WORLD_KINDS = (P.STATE, P.STATE_TOP_UP, P.FUNDER, P.CARD, P.FORFEITED, P.CONVERSION)
# Of a dossier, one pocket a line.
LINE_KINDS = (P.RESERVED, P.SPENT)
# An envelope is a funder's, what is due an organisation's: never a holder's.
OWNERLESS_KINDS = (*WORLD_KINDS, P.ENVELOPE, P.PROVIDER)
# More than one may be alike: a line, a budget.
NOT_OPENED_ONCE = (*LINE_KINDS, P.ENVELOPE)
# Paid in by a funder, who may set conditions and have the rest back; the State pays the others.
FUNDED_KINDS = (P.DOTATION, P.CORRECTIVE, P.TOP_UP)
# Never in hours.
EURO_KINDS = (
    P.CREDIT,
    P.CORRECTIVE,
    P.PROFESSIONAL_RISK,
    P.WORK_ACCIDENT,
    P.TOP_UP,
    P.STATE_TOP_UP,
    P.CARD,
    P.PROVIDER,
)
# What exists in euros and in hours, each in a purse of its own.
CONVERTED_KINDS = (P.ANNUAL, P.INCREASE, P.DIF, P.VOLUNTEER)


class FunderKind(models.TextChoices):
    """Who granted a dotation or a top-up: some exempt from the participation (rulebook)."""

    EMPLOYER = "employer", _("Employeur")
    AGREEMENT = "agreement", _("Accord d’entreprise, de groupe ou de branche")
    OPCO = "opco", _("Opérateur de compétences (OPCO)")
    WORK_ACCIDENT = "work_accident", _("Accident du travail ou maladie professionnelle")
    REGION = "region", _("Région")
    FRANCE_TRAVAIL = "france_travail", _("France Travail")
    OTHER = "other", _("Autre financeur")


class Origin(models.TextChoices):
    """Why a funder grants: the four sorts of an employer's dotations, and anybody's top-up."""

    VOLUNTARY = "voluntary", _("Dotation volontaire")
    ADDITIONAL = "additional", _("Droits supplémentaires prévus par un accord")
    CORRECTIVE = "corrective", _("Droits correctifs")
    DISMISSED = "dismissed", _("Salarié licencié")
    TOP_UP = "top_up", _("Abondement")


class MovementKind(models.TextChoices):
    CREDIT = "credit", _("Crédit de droits")
    FUND = "fund", _("Versement d’un financeur")
    GRANT = "grant", _("Attribution")
    EXPIRY = "expiry", _("Retour au financeur, date passée")
    RECALL = "recall", _("Retour au financeur, à sa demande")
    PAY_BACK = "pay_back", _("Remboursement d’un financeur")
    CONVERSION_OUT = "conversion_out", _("Conversion, sortie")
    CONVERSION_IN = "conversion_in", _("Conversion, entrée")
    STATE_TOP_UP = "state_top_up", _("Abondement de l’État")
    RESERVE = "reserve", _("Réservation")
    PAYMENT = "payment", _("Paiement du titulaire")
    RELEASE = "release", _("Retour")
    REFUND = "refund", _("Remboursement")
    SPEND = "spend", _("Débit à l’entrée en formation")
    UNSPEND = "unspend", _("Entrée en formation annulée")
    FORFEIT = "forfeit", _("Droits perdus")
    PAY = "pay", _("Dû à l’organisme")
    CREDIT_NOTE = "credit_note", _("Avoir")
    REVERSAL = "reversal", _("Correction")
    ADJUST_UP = "adjust_up", _("Régularisation en plus")
    ADJUST_DOWN = "adjust_down", _("Régularisation en moins")


M = MovementKind
ROUTES = {
    M.CREDIT: ((P.STATE, P.FUNDER), HOLDER_KINDS),
    M.FUND: ((P.FUNDER,), (P.ENVELOPE,)),
    M.GRANT: ((P.ENVELOPE,), FUNDED_KINDS),
    M.EXPIRY: (FUNDED_KINDS, (P.ENVELOPE, P.FUNDER)),
    M.RECALL: (FUNDED_KINDS, (P.ENVELOPE, P.FUNDER)),
    M.PAY_BACK: ((P.ENVELOPE,), (P.FUNDER,)),
    M.CONVERSION_OUT: (CONVERTED_KINDS, (P.CONVERSION,)),
    M.CONVERSION_IN: ((P.CONVERSION,), CONVERTED_KINDS),
    M.RESERVE: (HOLDER_KINDS, (P.RESERVED,)),
    M.PAYMENT: ((P.CARD,), (P.RESERVED,)),
    # The State's top-up is for one training: it never lies in a purse, and what is undone goes back to it.
    M.STATE_TOP_UP: ((P.STATE_TOP_UP,), (P.RESERVED,)),
    M.RELEASE: (LINE_KINDS, HOLDER_KINDS),
    M.REFUND: (LINE_KINDS, (P.CARD, P.STATE_TOP_UP)),
    M.SPEND: ((P.RESERVED,), (P.SPENT,)),
    M.UNSPEND: ((P.SPENT,), (P.RESERVED,)),
    M.FORFEIT: (LINE_KINDS, (P.FORFEITED,)),
    M.PAY: (LINE_KINDS, (P.PROVIDER,)),
    # What a person paid and cannot have back: kept for their next training.
    M.CREDIT_NOTE: ((P.RESERVED,), (P.CREDIT,)),
    M.ADJUST_UP: ((P.STATE, P.FUNDER), HOLDER_KINDS),
    M.ADJUST_DOWN: (HOLDER_KINDS, (P.STATE, P.FUNDER)),
}
"""A reversal has no way of its own: it goes its original backwards."""
INTO_RESERVED = (M.RESERVE, M.PAYMENT, M.STATE_TOP_UP)
FILLS_A_LINE = (*INTO_RESERVED, M.SPEND)
"""What fills a pocket of a line, once: from there the way back is found again."""
GIVES_BACK = (M.RELEASE, M.REFUND)
ADJUSTMENTS = (M.ADJUST_UP, M.ADJUST_DOWN)
RETURNS = (M.EXPIRY, M.RECALL)
GAINS = (M.CREDIT, M.GRANT, M.CONVERSION_IN, M.CREDIT_NOTE)
"""What makes a holder richer."""


def in_sql(kinds: tuple) -> str:
    """'annual', 'increase'… as IN wants them."""
    return ", ".join(f"'{kind.value}'" for kind in kinds)


_WAYS = " OR ".join(
    f"(m.kind = '{kind.value}' AND s.kind IN ({in_sql(sources)}) AND t.kind IN ({in_sql(targets)}))"
    for kind, (sources, targets) in ROUTES.items()
)

# What can be wrong with a movement: SQL over m (the movement), s and t (its source and target pockets).
_FAULTS_OF_ITS_ENDS = {
    "movement_keeps_one_unit": "s.unit <> t.unit",
    "movement_keeps_one_holder": "s.holder_id <> t.holder_id",
    # What an envelope grants lies in purses of its own, so that what is left knows where to go back.
    "grant_fills_a_purse_of_its_envelope": f"""t.envelope_id IS NOT NULL AND m.kind = '{M.CREDIT.value}'
        OR m.kind = '{M.GRANT.value}' AND t.envelope_id IS DISTINCT FROM s.id""",
    "dotation_returns_to_its_funder": f"""m.kind IN ({in_sql(RETURNS)}) AND (
        t.kind = '{P.ENVELOPE.value}' AND s.envelope_id IS DISTINCT FROM t.id
        OR t.kind = '{P.FUNDER.value}' AND (s.envelope_id IS NOT NULL OR t.label <> s.label))""",
    "envelope_keeps_its_funder": f"""m.kind IN ('{M.FUND.value}', '{M.PAY_BACK.value}')
        AND s.label <> t.label""",
    "movement_follows_its_route": f"m.kind <> '{M.REVERSAL.value}' AND NOT ({_WAYS})",
}
# What movements of these kinds need, written before or with them: (kinds, query).
_WITNESSES = {
    # Both halves are posted together: what leaves in one unit comes back in the other.
    "conversion_comes_in_two_halves": (
        (M.CONVERSION_OUT, M.CONVERSION_IN),
        f"""SELECT FROM rights_movement half JOIN rights_pocket a ON a.id = half.source_id
        JOIN rights_pocket b ON b.id = half.target_id
        WHERE half.key = CASE m.kind
            WHEN '{M.CONVERSION_OUT.value}' THEN regexp_replace(m.key, ':out$', ':in')
            ELSE regexp_replace(m.key, ':in$', ':out') END
        AND half.kind IN ('{M.CONVERSION_OUT.value}', '{M.CONVERSION_IN.value}') AND half.kind <> m.kind
        AND a.unit <> s.unit
        AND coalesce(a.holder_id, b.holder_id) = coalesce(s.holder_id, t.holder_id)""",
    ),
    # A release takes the way in backwards, whole or in part; what was spent comes from what was reserved.
    "movement_returns_to_its_source": (
        GIVES_BACK,
        f"""SELECT FROM rights_movement entry WHERE entry.kind IN ({in_sql(INTO_RESERVED)})
        AND entry.source_id = m.target_id AND entry.target_id = coalesce((
            SELECT spend.source_id FROM rights_movement spend
            WHERE spend.kind = '{M.SPEND.value}' AND spend.target_id = m.source_id), m.source_id)""",  # noqa: S608
    ),
    "entry_is_undone_as_it_was": (
        (M.UNSPEND,),
        f"""SELECT FROM rights_movement spend WHERE spend.kind = '{M.SPEND.value}'
        AND spend.target_id = m.source_id AND spend.source_id = m.target_id AND spend.amount = m.amount""",
    ),
    "credit_note_is_of_a_payment": (
        (M.CREDIT_NOTE,),
        f"""SELECT FROM rights_movement entry WHERE entry.kind = '{M.PAYMENT.value}'
        AND entry.target_id = m.source_id""",
    ),
    # Only credits: a reservation is undone through its dossier, which must know.
    "movement_reverses_a_credit": (
        (M.REVERSAL,),
        f"""SELECT FROM rights_movement original
        WHERE original.id = m.reverses_id AND original.kind = '{M.CREDIT.value}'
        AND original.source_id = m.target_id AND original.target_id = m.source_id
        AND original.amount = m.amount""",
    ),
    # Its key names a proposal that another person confirmed, of this amount, on this pocket.
    "movement_adjusts_by_two_persons": (
        ADJUSTMENTS,
        f"""SELECT FROM rights_adjustment adjustment
        WHERE adjustment.id = CASE WHEN m.key ~ '^adjustment:[0-9]{{1,18}}$'
            THEN split_part(m.key, ':', 2)::bigint END
        AND adjustment.state = 'confirmed' AND adjustment.decided_by_id <> adjustment.proposed_by_id
        AND adjustment.direction = m.kind AND adjustment.amount = m.amount
        AND adjustment.pocket_id = CASE m.kind WHEN '{M.ADJUST_UP.value}'
            THEN m.target_id ELSE m.source_id END""",
    ),
}
_FAULTS_OF_WITNESSES = {
    name: f"m.kind IN ({in_sql(kinds)}) AND NOT EXISTS ({witness})"
    for name, (kinds, witness) in _WITNESSES.items()
}
FAULTS = _FAULTS_OF_ITS_ENDS | _FAULTS_OF_WITNESSES


def _first(faults: dict[str, str]) -> str:
    return "CASE " + " ".join(f"WHEN {fault} THEN '{name}'" for name, fault in faults.items()) + " END"


# Two parts: every query named in an expression is made ready even where no row asks it.
FAULT_OF_ITS_ENDS = _first(_FAULTS_OF_ITS_ENDS)
# The same of a credit, which is never of another kind: PostgreSQL keeps only what is left to ask.
FAULT_OF_A_CREDIT = FAULT_OF_ITS_ENDS.replace("m.kind", f"'{M.CREDIT.value}'")
NEEDS_A_WITNESS = (
    f"m.kind IN ({in_sql(tuple(kind for kinds, _query in _WITNESSES.values() for kind in kinds))})"
)
FAULT_OF_WITNESSES = _first(_FAULTS_OF_WITNESSES)
