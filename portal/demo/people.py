"""The demonstration's people: accounts with their rights, logins, organisations they act for."""

import csv
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils.translation import gettext as _
from stdnum.fr import nir as register

from accounts import imports
from accounts.activation import StatedIdentity, activate
from accounts.actors import SYSTEM, Actor, Role
from accounts.models import HolderProfile, Membership, Organisation, User
from catalog.models import Town
from portal.demo import PASSWORD, facts
from portal.demo.catalogue import siret
from rights import crediting_year, ledger, statement_imports
from rights.kinds import FunderKind, PocketKind, Unit
from rulebook import workdays

REFERENCE = "DEMO-{}"


class Login(NamedTuple):
    """One line of `demo_logins`. `password` is empty when its owner changed it."""

    role: str
    email: str
    password: str


def load_logins() -> Actor:
    """Everyone who signs in; gives an admin, who brings the rest in."""
    people = facts("people")
    for words in people["logins"].values():
        _user(words["email"], words, password=PASSWORD)
    admin = next(words for words in people["logins"].values() if words.get("is_admin"))
    return Actor(role=Role.ADMIN, user=User.objects.get(email=admin["email"]))


def load_memberships() -> None:
    organisations = facts("catalogue")["organisations"]
    for words in facts("people")["logins"].values():
        for key in words.get("member_of", []):
            Membership.objects.get_or_create(
                user=User.objects.get(email=words["email"]),
                organisation=Organisation.objects.get(siret=siret(organisations[key]["siren"])),
                defaults={"role": Membership.Role.MANAGER},
            )


def load_holders(
    *, at: datetime, opened_at: datetime, wave: str = "", with_crowd: bool = True
) -> dict[str, HolderProfile]:
    """Accounts, the rights they opened with at `opened_at`, and their activation; by key of the files.

    Another `wave` grants the dotations again.
    """
    people = cast = facts("people")["holders"]
    if with_crowd:
        people = cast | facts("crowd")["holders"]
    today, opened_on = workdays.paris_day(at), workdays.paris_day(opened_at)
    rows = [_row(key, order, words, today) for order, (key, words) in enumerate(people.items(), start=1)]
    identities = [imports.read_row(row, line=line, on=today) for line, row in enumerate(rows, start=2)]
    found = {}
    for key, identity in zip(people, identities, strict=True):
        holder, _created = imports.save(identity, at=opened_at)
        with transaction.atomic():
            ledger.credit_many(
                list(_credits(key, holder, people[key], today, opened_on, wave)), at=opened_at, by=SYSTEM
            )
        if email := people[key].get("email"):
            names = {"first_name": identity.first_names.split(",")[0], "last_name": identity.birth_name}
            # Nobody signs in as one of the crowd.
            _user(email, names, password=PASSWORD if key in cast else None)
            by = Actor(role=Role.HOLDER, user=User.objects.get(email=email))
            holder = activate(by=by, at=opened_at, identity=_stated(identity))
        found[key] = holder
    _work_a_year(people, found, at=opened_at)
    return found


def logins() -> list[Login]:
    """The logins to show, in the order of the files, as far as they were loaded."""
    people = facts("people")
    shown = [words for words in (*people["holders"].values(), *people["logins"].values()) if "shown" in words]
    users = {user.email: user for user in User.objects.filter(email__in=[words["email"] for words in shown])}
    return [
        Login(
            words["shown"],
            words["email"],
            PASSWORD if users[words["email"]].check_password(PASSWORD) else "",
        )
        for words in shown
        if words["email"] in users
    ]


def played_organisations() -> dict[str, list[str]]:
    """By shown login, the organisations it answers for; nobody here answers what another one is asked."""
    found: dict[str, list[str]] = {login.email: [] for login in logins()}
    own = Organisation.objects.filter(memberships__user__email__in=found).order_by("name")
    for email, name in own.values_list("memberships__user__email", "name"):
        if email in found:
            found[email].append(name)
    return {email: names for email, names in found.items() if names}


def waiting_identity(*, on: date) -> StatedIdentity | None:
    """Who a visitor may pretend to be: the first account that still waits; None when all are taken."""
    for order, (key, words) in enumerate(facts("people")["holders"].items(), start=1):
        waiting = HolderProfile.objects.filter(reference=REFERENCE.format(key), user__isnull=True)
        if "email" not in words and waiting.exists():
            return _stated(imports.read_row(_row(key, order, words, on), line=order, on=on))
    return None


def _user(email: str, words: dict[str, Any], *, password: str | None) -> None:
    if User.objects.filter(email=email).exists():
        return
    fields = {"first_name": words["first_name"], "last_name": words["last_name"]}
    make = User.objects.create_superuser if words.get("is_admin") else User.objects.create_user
    user = make(email, password, **fields)
    EmailAddress.objects.create(user=user, email=email, primary=True, verified=True)


def birthday(years: int, today: date) -> date:
    """Of somebody who is so old today, and was when their story began, in the last days of a year too."""
    begun = today - timedelta(days=30)
    return date(begun.year - years, 1 if begun.year == today.year else 12, 1)


def _row(key: str, order: int, words: dict[str, Any], today: date) -> dict[str, str]:
    """The line that a register would send of this person (accounts.imports)."""
    born = words["born"]
    if isinstance(born, int):
        born = birthday(born, today)
    number = f"{1 if words['sex'] == 'M' else 2}{born:%y%m}99999{order:03}"
    row = {name: str(value) for name, value in words.items() if name in imports.COLUMNS}
    town = Town.objects.get(pk=words["town"])
    return row | {
        "reference": REFERENCE.format(key),
        "birth_date": born.isoformat(),
        "nir": number + register.calc_check_digits(number),
        "town": town.name,
        "postal_code": town.postal_codes[0],
    }


def _credits(
    key: str, holder: HolderProfile, words: dict[str, Any], today: date, opened_on: date, wave: str
) -> Iterator[ledger.Credit]:
    # Years that their employer declared are credited from that, once.
    declared = crediting_year.credited_years(holder) or {opened_on.year - 1 if "worked" in words else None}
    for year in range(today.year - words.get("years", 0), today.year):
        if year in declared:
            continue
        yield ledger.Credit(
            holder_id=holder.pk,
            kind=PocketKind.ANNUAL,
            amount=words["annual_euros"] * 100,
            key=f"demo:{key}:annual:{year}",
            value_date=date(year, 12, 31),
            reason=_("Droits de l’année %s") % year,
        )
    if "hours" in words:
        yield ledger.Credit(
            holder_id=holder.pk,
            kind=PocketKind.ANNUAL,
            unit=Unit.HOUR,
            amount=words["hours"],
            key=f"demo:{key}:hours",
            reason=_("Heures d’agent public"),
        )
    if granted := words.get("dotation"):
        yield ledger.Credit(
            holder_id=holder.pk,
            kind=PocketKind.DOTATION,
            amount=granted["euros"] * 100,
            key=f"demo:{key}:dotation{wave}",
            label=granted["funder"],
            funder_kind=FunderKind(granted["funder_kind"]),
            reason=_("Dotation de démonstration"),
        )


def _work_a_year(
    people: dict[str, dict[str, Any]], holders: dict[str, HolderProfile], *, at: datetime
) -> None:
    """The last whole year of those who have `worked`: declared by their employer, then credited. Once."""
    year = workdays.paris_day(at).year - 1
    rows = [
        {"reference": REFERENCE.format(key), "year": str(year)}
        | {name: str(said) for name, said in work.items()}
        for key, words in people.items()
        if (work := words.get("worked")) and not crediting_year.credited_years(holders[key])
    ]
    if not rows:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"declarations-{year}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            lines = csv.DictWriter(file, fieldnames=list(rows[0]), delimiter=";")
            lines.writeheader()
            lines.writerows(rows)
        statement_imports.run(path, at=at, all_or_nothing=True)
    crediting_year.credit_year(year, at=at, by=SYSTEM)


def _stated(identity: imports.Identity) -> StatedIdentity:
    return StatedIdentity(
        family_name=identity.birth_name,
        first_names=identity.first_names,
        birth_date=identity.birth_date,
        nir=identity.nir,
    )
