"""A catalogue as large as the real one, made of what the registers hold: for speed, and for looking around.

Each offer is a certification of the register, an organisation entitled to it, a real town, dates and a price
around real ones. What is drawn depends on the seed and on the number of the offer alone: the same command
gives the same offers, and one that was stopped goes on where it was. Offers say that they are invented
(`Offer.is_demonstration`); nobody may load them into a portal of production.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

import rulebook
from catalog import indexing
from catalog.models import Habilitation, Offer, Session, Town
from rulebook import workdays

PART = 5_000
"""Offers of one transaction: each is whole, with its sessions and its index, or not there."""
MARK = "DEMO-"
INVENTED = " (démonstration)"
"""How the name of an entitlement ends that no register knows: it goes with the offers."""
PARTNERS = 12
"""Organisations that teach a certification whose register names nobody who may."""


class NothingToTeach(Exception):
    """No certification is active, or no organisation may teach; the message is French."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a run wrote: new offers and sessions; entitlements that it had to invent."""

    offers: int
    sessions: int
    entitlements: int


def draw(what: str, of: str = "n") -> str:
    """A number from 0 to 1, 1 excluded, that depends on the seed, on `of` and on what is drawn; in SQL."""
    return f"((hashtextextended({of} || ':{what}', %(seed)s) & 1073741823) / 1073741824.0)"


DECLARED = "p.activity_number <> '' AND (p.activity_lapsed_on IS NULL OR p.activity_lapsed_on > %(on)s)"
# One row a (certification, organisation) that may be taught, in an order that the seed shuffles.
_PAIRS = f"""
    DROP TABLE IF EXISTS demo_pair;
    CREATE TEMPORARY TABLE demo_pair AS
    SELECT row_number() OVER (ORDER BY {draw("pair", "code || siret")}, code, siret) AS number, pair.*
    FROM (
        SELECT DISTINCT c.code, o.siret, o.id AS provider_id
        FROM catalog_certification c
        JOIN catalog_habilitation h ON h.certification_id = c.code AND h.is_active
            AND h.role = ANY(%(roles)s) AND (h.active_from IS NULL OR h.active_from <= %(on)s)
        JOIN accounts_organisation o ON o.siret = h.siret
        JOIN catalog_provider p ON p.organisation_id = o.id AND p.state = 'active' AND p.qualiopi_training
            AND {DECLARED}
        WHERE NOT c.withdrawn AND c.registered_until >= %(on)s
            AND (c.effective_on IS NULL OR c.effective_on <= %(on)s)
    ) AS pair;
    ALTER TABLE demo_pair ADD PRIMARY KEY (number);
    ANALYZE demo_pair"""  # noqa: S608 - made of our own words only
# Large towns teach more: each takes a share as large as its population.
_TOWNS = """
    DROP TABLE IF EXISTS demo_town;
    CREATE TEMPORARY TABLE demo_town AS
    SELECT code, (sum(population) OVER (ORDER BY code))::float AS up_to
    FROM catalog_town WHERE population > 0;
    CREATE INDEX ON demo_town (up_to);
    ANALYZE demo_town"""
_ENTITLE = f"""
    INSERT INTO catalog_habilitation (certification_id, siret, name, role, is_active, active_from)
    SELECT c.code, partner.siret, left(partner.name, 235) || '{INVENTED}', %(role)s, true, NULL
    FROM catalog_certification c
    CROSS JOIN LATERAL (
        SELECT o.siret, o.name
        FROM catalog_provider p JOIN accounts_organisation o ON o.id = p.organisation_id
        WHERE p.state = 'active' AND p.qualiopi_training AND {DECLARED}
        ORDER BY {draw("partner", "c.code || o.siret")}, o.siret LIMIT %(partners)s
    ) AS partner
    WHERE NOT c.withdrawn AND c.registered_until >= %(on)s
        AND (c.effective_on IS NULL OR c.effective_on <= %(on)s)
        AND NOT EXISTS (
            SELECT FROM catalog_habilitation h JOIN accounts_organisation o ON o.siret = h.siret
            WHERE h.certification_id = c.code AND h.is_active AND h.role = ANY(%(roles)s)
        )
    ON CONFLICT DO NOTHING"""  # noqa: S608

# A third of the pairs makes two thirds of the offers. An organisation teaches a certification in five towns
# at most. An hour costs around 15 €, from 8 to 30 for nine in ten (a log-normal law); prices end in tens.
_OFFERS = f"""
    INSERT INTO catalog_offer (id, provider_id, training_number, action_number, kind, certification_id,
        portal_code, block_codes, title, summary, objectives, content, expected_results, prerequisites,
        admission, accessibility, has_prerequisites, mode, hours, rhythms, languages, entry_level,
        price_cents, extra_fees_cents, vat_per_mille, address, postal_code, town_name, town_id, point, url,
        contact_email, contact_phone, is_published, is_demonstration, updated_at)
    SELECT drawn.id, drawn.provider_id, '{MARK}' || drawn.code, '{MARK}' || %(seed)s || '-' || n, 'training',
        drawn.code, '', '{{}}', left(c.title, 240), '', left(c.abilities, 600), left(c.activities, 600),
        left(c.jobs, 300), left(c.prerequisites, 300), '',
        CASE WHEN {draw("access")} < 0.7
            THEN 'Locaux accessibles ; un référent handicap vous répond.' ELSE '' END,
        c.prerequisites <> '', mode, hours,
        CASE WHEN {draw("rhythm")} < 0.5 THEN '{{day,week,full_time}}'
            WHEN {draw("rhythm")} < 0.75 THEN '{{day,week,part_time}}'
            WHEN {draw("rhythm")} < 0.87 THEN '{{evening,week,part_time}}'
            WHEN {draw("rhythm")} < 0.92 THEN '{{weekend,part_time}}' ELSE '{{}}' END::varchar(10)[],
        CASE WHEN {draw("language")} < 0.92 THEN '{{fr}}' WHEN {draw("language")} < 0.97 THEN '{{fr,en}}'
            WHEN {draw("language")} < 0.98 THEN '{{en}}' ELSE '{{}}' END::varchar(2)[],
        CASE WHEN {draw("entry")} < 0.2 THEN NULL
            WHEN c.level IS NULL OR c.level < 4 OR {draw("entry")} < 0.5 THEN 0 ELSE c.level - 1 END,
        greatest(15000, (hours * 1500 * exp(0.42 * normal) / 1000)::bigint * 1000),
        CASE WHEN {draw("fees")} < 0.1 THEN 5000 ELSE 0 END,
        CASE WHEN {draw("vat")} < 0.3 THEN 200 ELSE 0 END,
        '', CASE WHEN mode <> 'distance' THEN t.postal_codes[1] ELSE '' END,
        CASE WHEN mode <> 'distance' THEN t.name ELSE '' END,
        CASE WHEN mode <> 'distance' THEN t.code END, CASE WHEN mode <> 'distance' THEN t.point END,
        '', '', '', true, true, %(at)s
    FROM (
        SELECT n, md5('{MARK}' || %(seed)s || ':' || n)::uuid AS id, pair.code, pair.provider_id,
            {draw("town", "pair.number || ':' || floor(5 * " + draw("branch") + ")")} AS place,
            CASE WHEN {draw("mode")} < 0.55 THEN 'on_site' WHEN {draw("mode")} < 0.75 THEN 'mixed'
                ELSE 'distance' END AS mode,
            CASE WHEN pair.code LIKE 'RS%%' THEN 7 * (1 + floor(10 * power({draw("hours")}, 2)))
                ELSE 35 * (2 + floor(22 * power({draw("hours")}, 2))) END::int AS hours,
            sqrt(-2 * ln(1 - {draw("price")})) * cos(2 * pi() * {draw("angle")}) AS normal
        FROM generate_series(%(first)s::int, %(last)s::int) AS n
        JOIN demo_pair pair ON pair.number = 1 + floor(%(pairs)s * power({draw("which")}, 1.6))::int
    ) AS drawn
    JOIN catalog_certification c ON c.code = drawn.code
    CROSS JOIN LATERAL (
        SELECT code FROM demo_town WHERE up_to > drawn.place * %(people)s ORDER BY up_to LIMIT 1
    ) AS town
    JOIN catalog_town t ON t.code = town.code
    ON CONFLICT DO NOTHING RETURNING id"""  # noqa: S608
# One to four; one offer in twelve is entered at any time.
_SESSIONS = f"""
    INSERT INTO catalog_session (id, offer_id, number, starts_on, ends_on, recruitment, is_guaranteed, places,
        details)
    SELECT md5(o.id::text || ':' || n)::uuid, o.id, '{MARK}' || n, day.first,
        day.first + (o.hours / 5)::int, 'open', {draw("sure", "o.id || ':' || n")} < 0.3,
        (6 + floor(11 * {draw("places", "o.id || ':' || n")}))::int, ''
    FROM catalog_offer o
    CROSS JOIN LATERAL generate_series(1, 1 + floor(4 * {draw("sessions", "o.id")})::int) AS n
    CROSS JOIN LATERAL (
        SELECT CASE WHEN {draw("permanent", "o.id")} >= 0.08
            THEN %(on)s::date + 7 + floor(240 * {draw("day", "o.id || ':' || n")})::int END AS first
    ) AS day
    WHERE o.id = ANY(%(ids)s) AND (day.first IS NOT NULL OR n = 1)
    ON CONFLICT DO NOTHING"""  # noqa: S608


def generate(
    count: int, *, seed: int, at: datetime, progress: Callable[[int], None] = lambda _done: None
) -> Made:
    """Write offers 1 to `count` of this seed, those that are there already left as they are.

    NothingToTeach. `progress` is told how many offers of the run are behind.
    """
    on = workdays.paris_day(at)
    rules = rulebook.on(on)
    about = {
        "seed": seed,
        "on": on,
        "at": at,
        "roles": [Habilitation.Role.CERTIFIER.value, *rules.training_roles],
        "role": Habilitation.Role.TRAIN_AND_EXAMINE.value,
        "partners": PARTNERS,
    }
    if not Town.objects.filter(population__gt=0).exists():
        raise NothingToTeach("Les communes manquent. Lancez d’abord : manage.py load_towns")
    with connection.cursor() as cursor:
        cursor.execute(_ENTITLE, about)
        entitlements = cursor.rowcount
        # Of this session, until it ends or draws again.
        cursor.execute(_PAIRS, about)
        cursor.execute(_TOWNS)
        cursor.execute("SELECT (SELECT count(*) FROM demo_pair), (SELECT max(up_to) FROM demo_town)")
        about["pairs"], about["people"] = cursor.fetchone()
    if not about["pairs"]:
        raise NothingToTeach(
            "Aucun organisme certifié Qualiopi n’est habilité pour une certification active. "
            "Importez d’abord le registre (import_certifications) et les organismes (import_organisations)."
        )
    offers = sessions = 0
    for first in range(1, count + 1, PART):
        last = min(first + PART - 1, count)
        new, dated = _part(about | {"first": first, "last": last})
        offers, sessions = offers + new, sessions + dated
        progress(last)
    return Made(offers, sessions, entitlements)


@transaction.atomic
def _part(about: dict) -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(_OFFERS, about)
        ids: list[UUID] = [row[0] for row in cursor.fetchall()]
        if not ids:
            return 0, 0
        cursor.execute(_SESSIONS, about | {"ids": ids})
        dated = cursor.rowcount
    indexing.reindex(ids, on=about["on"])
    return len(ids), dated


@transaction.atomic
def remove() -> int:
    """Take every invented offer away, but those that somebody has a dossier on; how many went."""
    unused = Offer.objects.filter(is_demonstration=True).exclude(
        pk__in=Offer.objects.with_dossiers().values("pk")
    )
    ids = list(unused.values_list("pk", flat=True))
    Session.objects.filter(offer__in=ids).delete()
    Offer.objects.filter(pk__in=ids).delete()
    Habilitation.objects.filter(name__endswith=INVENTED).delete()
    return len(ids)
