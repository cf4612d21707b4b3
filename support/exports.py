"""What this app keeps of one person, for the copy of their data."""

from typing import Any

from accounts.actors import Role
from accounts.models import User
from support.models import Ticket


def of_person(user: User) -> list[dict[str, Any]]:
    """Every request for help that they wrote, with its thread. Two queries, however many."""
    tickets = Ticket.objects.filter(user=user).select_related("scam_report", "organisation")
    return [
        {
            "numero": ticket.number,
            "sujet": ticket.get_topic_display(),
            "objet": ticket.subject,
            "etat": ticket.get_state_display(),
            "au_nom_de": ticket.organisation.name if ticket.organisation else "",
            "envoyee_le": ticket.opened_at,
            "close_le": ticket.closed_at,
            "demarchage": _report(ticket),
            "echange": [
                {"le": entry.at, "par_le_portail": entry.role == Role.ADMIN, "message": entry.words}
                for entry in ticket.entries.all()
            ],
        }
        for ticket in tickets.prefetch_related("entries").order_by("opened_at", "id")
    ]


def _report(ticket: Ticket) -> dict[str, Any] | None:
    report = getattr(ticket, "scam_report", None)
    if report is None:
        return None
    return {
        "jour": report.happened_on,
        "moyen": report.get_channel_display(),
        "numero_ou_adresse": report.contact,
        "au_nom_de": report.organisation,
        "donne": report.given,
    }
