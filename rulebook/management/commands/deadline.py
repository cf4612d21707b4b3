import json
from datetime import UTC, date, datetime

from django.core.management.base import BaseCommand, CommandError
from django.utils import translation
from django.utils.formats import date_format

import rulebook
from rulebook import workdays

# What each kind is, and how its last day reads.
KINDS = {
    "provider_answer": ("réponse de l'organisme à une demande", "Dernier jour pour répondre"),
    "holder_answer": ("validation d'une proposition par le titulaire", "Dernier jour pour valider"),
    "withdrawal": ("rétractation", "Dernier jour pour se rétracter"),
    "payment": ("paiement du reste à payer", "Dernier jour pour payer"),
    "earliest_start": ("début au plus tôt après une proposition", "Premier jour possible de la formation"),
    "free_cancellation": (
        "annulation libre avant le début (le moment est celui du début)",
        "Dernier jour pour annuler librement",
    ),
}


class Command(BaseCommand):
    help = "Calcule une échéance : son dernier jour, l'instant exact, les jours non comptés et pourquoi."
    missing_args_message = "Donnez un délai et un moment, par exemple : deadline provider_answer 2026-11-20"

    def add_arguments(self, parser):
        parser.add_argument("kind", help=f"le délai : {', '.join(KINDS)}")
        parser.add_argument("moment", help="date ou date et heure ISO 8601 ; sans fuseau, l'heure de Paris")
        parser.add_argument("--json", action="store_true", help="la réponse en JSON")
        parser.add_argument(
            "--calendar",
            default=workdays.METROPOLE,
            help=f"les jours fériés du territoire : {', '.join(workdays.CALENDARS)}",
        )

    def handle(self, *args, kind, moment, calendar, **options):
        if kind not in KINDS:
            raise CommandError(f"Délai inconnu : « {kind} ». Délais connus : {', '.join(KINDS)}.")
        if calendar not in workdays.CALENDARS:
            raise CommandError(
                f"Calendrier inconnu : « {calendar} ». Calendriers connus : {', '.join(workdays.CALENDARS)}."
            )
        event = parse_moment(moment)
        try:
            days, unit = rulebook.on(workdays.paris_day(event)).term(kind)
            if kind == "free_cancellation":
                period = workdays.period_before(event, days, calendar)
            else:
                period = workdays.period(event, days, unit, calendar)
        except rulebook.NoRuleInForce as error:
            raise CommandError(str(error)) from error
        except OverflowError as error:
            raise CommandError(f"« {moment} » est hors du calendrier.") from error
        if options["json"]:
            self.stdout.write(json.dumps(as_json(kind, event, days, unit, period), ensure_ascii=False))
        else:
            with translation.override("fr"):
                self.stdout.write(as_text(kind, event, days, unit, period))


def parse_moment(text: str) -> date | datetime:
    """A date, or an aware moment in Paris. CommandError: the text is neither."""
    text = text.strip()
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return workdays.as_paris(datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        raise CommandError(
            f"« {text} » n'est ni une date ni un moment. "
            "Écrivez par exemple 2026-11-20, 2026-11-20T23:59 ou 2026-11-20T22:59:00Z."
        ) from error


def as_json(kind, event, days, unit, period):
    return {
        "kind": kind,
        "event": event.isoformat(),
        "days": days,
        "unit": unit,
        "last_day": period.last_day.isoformat(),
        "expires_at": in_utc(period.expires_at),
        "skipped": [{"day": day.isoformat(), "why": why} for day, why in period.skipped],
    }


def as_text(kind, event, days, unit, period):
    what, last = KINDS[kind]
    sort = "ouvrés" if unit == workdays.BUSINESS else "calendaires"
    in_paris = workdays.as_paris(period.expires_at)
    lines = [
        f"Délai : {what}, {days} jours {sort}",
        f"Événement : {long_moment(event)}",
        f"{last} : {long_date(period.last_day)}",
    ]
    if kind != "earliest_start":  # a first day, not a limit
        in_paris = workdays.as_paris(period.expires_at)
        lines.append(f"Trop tard à partir du {long_moment(in_paris)} ({in_utc(period.expires_at)})")
    if period.skipped:
        lines += ["Jours non comptés :", *(f"- {short_date(day)} : {why}" for day, why in period.skipped)]
    else:
        lines.append("Aucun jour n'est sauté.")
    return "\n".join(lines)


def long_date(day: date) -> str:
    return f"{date_format(day, 'l')} {short_date(day)}"


def short_date(day: date) -> str:
    return f"{'1er' if day.day == 1 else day.day} {date_format(day, 'F Y')}"


def long_moment(moment: date | datetime) -> str:
    if not isinstance(moment, datetime):
        return long_date(moment)
    return f"{long_date(moment)} à {moment:%H:%M:%S}, heure de Paris"


def in_utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
