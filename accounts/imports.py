"""Accounts that a register sends, before anyone signs in: read a row, check it, keep it.

Columns: reference, birth_name, used_name, first_names, birth_date (2001-05-31 or 31/05/2001), sex (F or
M), nir, and what the sender may know of the holder's situation: phone, address, postal_code, town, status,
has_apprenticeship (oui or non), diploma, diploma_year. The command `import_accounts` (app rights) reads the
file and credits the rights.
"""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import matching, nir
from accounts.models import HolderProfile
from accounts.profiles import IDENTITY_FIELDS, OWN_FIELDS, name_keys
from accounts.validators import check_diploma_year, check_postal_code, french_phone

COLUMNS = ("reference", *IDENTITY_FIELDS, "nir", *OWN_FIELDS)
REQUIRED = ("reference", "birth_name", "first_names", "birth_date")
_YES_NO = {"": False, "non": False, "0": False, "false": False, "oui": True, "1": True, "true": True}
_OLDEST = datetime.date(1900, 1, 1)


class RowRefused(Exception):
    """This row cannot be kept; `reason` says why, in French, and never repeats a social-security number."""

    def __init__(self, reason: str, *, line: int | None = None):
        self.reason, self.line = str(reason), line
        super().__init__(f"Ligne {line} : {self.reason}" if line else self.reason)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One row, checked. `own`: what its holder may change once the account is theirs."""

    line: int
    reference: str
    birth_name: str
    used_name: str
    first_names: str
    birth_date: datetime.date
    sex: str
    nir: str = field(repr=False)
    own: Mapping[str, Any]


@dataclass(frozen=True)
class Saved:
    """What became of one identity: `holder` with `created` or `changed`, or `refused` with neither."""

    holder: HolderProfile | None = None
    created: bool = False
    changed: bool = False
    refused: RowRefused | None = None


def read_row(row: Mapping[str, str | None], *, line: int, on: datetime.date) -> Identity:
    """A row of the file, checked; `on`: the day of the import. RowRefused: the first thing wrong in it."""
    try:
        return _read(row, line, on)
    except (RowRefused, nir.NirRefused) as refusal:
        raise RowRefused(getattr(refusal, "reason", str(refusal)), line=line) from None
    except ValidationError as error:
        raise RowRefused(" ".join(error.messages), line=line) from None


def save(identity: Identity, *, at: datetime.datetime) -> tuple[HolderProfile, bool]:
    """Keep one identity: (its account, was it created?). RowRefused: its number is another account's."""
    saved = save_many([identity], at=at)[0]
    if saved.refused:
        raise saved.refused
    return saved.holder, saved.created


def save_many(identities: Iterable[Identity], *, at: datetime.datetime) -> list[Saved]:
    """Keep a lot, in order, in four statements at most; the same lot twice writes nothing more.

    Until its holder activates an account, the sender writes all of it; afterwards the civil identity only:
    contact and situation are the holder's.
    """
    identities = list(identities)
    with transaction.atomic():
        references = [identity.reference for identity in identities]
        known = {
            holder.reference: holder
            for holder in HolderProfile.objects.select_for_update(of=("self",))
            .filter(reference__in=references)
            .order_by("id")
        }
        owners = _owners(identities)
        before = set(known)
        created: dict[str, HolderProfile] = {}
        touched: dict[str, HolderProfile] = {}
        results = []
        for identity in identities:
            digests = nir.digests(identity.nir) if identity.nir else []
            owner = next((owners[digest] for digest in digests if digest in owners), identity.reference)
            if owner != identity.reference:
                reason = _("Ce numéro de sécurité sociale est déjà celui d’un autre compte.")
                results.append(Saved(refused=RowRefused(reason, line=identity.line)))
                continue
            owners |= dict.fromkeys(digests, identity.reference)
            holder = known.get(identity.reference)
            is_new = holder is None
            if is_new:
                holder = known[identity.reference] = created[identity.reference] = HolderProfile(
                    reference=identity.reference, imported_at=at
                )
            is_changed = _fill(holder, identity)
            if is_changed and identity.reference in before:
                touched[identity.reference] = holder
            results.append(Saved(holder=holder, created=is_new, changed=is_changed and not is_new))
        HolderProfile.objects.bulk_create(created.values(), batch_size=1000)
        HolderProfile.objects.bulk_update(touched.values(), _WRITTEN, batch_size=1000)
    return results


_WRITTEN = (
    *IDENTITY_FIELDS,
    "birth_name_key",
    "used_name_key",
    "first_names_key",
    "nir_encrypted",
    "nir_digest",
    *OWN_FIELDS,
)


def _owners(identities: list[Identity]) -> dict[str, str]:
    """Digest → reference of the account that already has this number, written with any of the keys."""
    digests = {digest for identity in identities if identity.nir for digest in nir.digests(identity.nir)}
    held = HolderProfile.objects.filter(nir_digest__in=digests).order_by("id")
    return dict(held.values_list("nir_digest", "reference"))


def _fill(holder: HolderProfile, identity: Identity) -> bool:
    """Write the identity on the account. True: something is different now."""
    values = {name: getattr(identity, name) for name in IDENTITY_FIELDS}
    values |= name_keys(
        birth_name=identity.birth_name, used_name=identity.used_name, first_names=identity.first_names
    )
    if holder.user_id is None:
        values |= identity.own
    # A row without its number takes none away; the same number, whatever key signed it, is left alone.
    if identity.nir and holder.nir_digest not in nir.digests(identity.nir):
        values |= {"nir_encrypted": nir.encrypt(identity.nir), "nir_digest": nir.digest(identity.nir)}
    changed = [name for name, value in values.items() if getattr(holder, name) != value]
    for name in changed:
        setattr(holder, name, values[name])
    return bool(changed)


# --- One row ----------------------------------------------------------------------------------------
def _read(row: Mapping[str, str | None], line: int, on: datetime.date) -> Identity:
    text = {name: " ".join((row.get(name) or "").split()) for name in COLUMNS}
    missing = [name for name in REQUIRED if not text[name]]
    if missing:
        raise RowRefused(_("Il manque : {columns}.").format(columns=", ".join(missing)))
    for name in ("reference", "birth_name", "used_name", "first_names", "address", "town"):
        _check_text(name, text[name])
    birth_date = _birth_date(text["birth_date"], on)
    sex = _one_of("sex", text["sex"].upper(), HolderProfile.Sex.values)
    if settings.NIR_AT_ACTIVATION and not text["nir"]:
        raise RowRefused(
            _("Le numéro de sécurité sociale manque : sans lui, personne ne pourrait activer ce compte.")
        )
    number = nir.check(text["nir"], birth_date=birth_date, sex=sex) if text["nir"] else ""
    return Identity(
        line=line,
        reference=text["reference"],
        birth_name=text["birth_name"],
        used_name=text["used_name"],
        first_names=text["first_names"],
        birth_date=birth_date,
        sex=sex,
        nir=number,
        own=_own(text, birth_date, on),
    )


def _own(text: Mapping[str, str], birth_date: datetime.date, on: datetime.date) -> dict[str, Any]:
    status = _one_of("status", text["status"], HolderProfile.Status.values) or HolderProfile.Status.OTHER
    if text["has_apprenticeship"].lower() not in _YES_NO:
        raise RowRefused(_("has_apprenticeship : oui ou non."))
    if text["postal_code"]:
        check_postal_code(text["postal_code"])
    diploma = _one_of("diploma", text["diploma"], HolderProfile.Diploma.values)
    return {
        "phone": french_phone(text["phone"]),
        "address": text["address"],
        "postal_code": text["postal_code"],
        "town": text["town"],
        "status": str(status),
        "has_apprenticeship": _YES_NO[text["has_apprenticeship"].lower()],
        "diploma": diploma,
        "diploma_year": _diploma_year(text["diploma_year"], diploma, birth_date, on),
    }


def _check_text(name: str, value: str) -> None:
    longest = HolderProfile._meta.get_field(name).max_length
    if longest and len(value) > longest:
        raise RowRefused(_("{column} : {longest} caractères au plus.").format(column=name, longest=longest))
    if not value.isprintable():
        raise RowRefused(_("{column} : un caractère est illisible.").format(column=name))
    if value and name.endswith(("_name", "first_names")) and not matching.name_key(value):
        raise RowRefused(
            _("{column} : « {value} » ne contient aucune lettre.").format(column=name, value=value)
        )


def _birth_date(text: str, on: datetime.date) -> datetime.date:
    for pattern in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            day = datetime.datetime.strptime(text, pattern).date()  # noqa: DTZ007, a day has no zone
        except ValueError:
            continue
        if _OLDEST <= day <= on:
            return day
        break
    raise RowRefused(
        _("birth_date : « {value} » n’est pas une date de naissance possible.").format(value=text)
    )


def _one_of(column: str, value: str, allowed: Iterable[str]) -> str:
    allowed = list(allowed)
    if value and value not in allowed:
        raise RowRefused(
            _("{column} : « {value} » n’est pas prévu ({allowed}).").format(
                column=column, value=value, allowed=", ".join(allowed)
            )
        )
    return value


def _diploma_year(text: str, diploma: str, birth_date: datetime.date, on: datetime.date) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise RowRefused(_("diploma_year : « {value} » n’est pas une année.").format(value=text))
    check_diploma_year(int(text), diploma=diploma, birth_date=birth_date, on=on)
    return int(text)
