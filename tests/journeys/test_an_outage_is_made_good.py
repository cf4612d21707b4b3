"""The portal was down. One admin proposes to give time back, another confirms; everyone is told why."""

from datetime import timedelta
from urllib.parse import urlencode

from dossiers import clocks, deadlines
from dossiers.models import Dossier, Relief
from dossiers.states import ClockKind
from rulebook import workdays
from tests.factories.dossiers import DossierFactory, admin_actor

REASON = "Panne du portail le matin du dernier jour."


def test_an_outage_is_made_good(visit, member_of, letters, as_at, at):
    lost = DossierFactory(requested=True, at=at)
    member = member_of(lost.offer)
    clock = clocks.running(lost, ClockKind.PROVIDER_ANSWER)
    later = clock.due_at + timedelta(hours=10)
    deadlines.settle_overdue(at=later)
    with as_at(later):
        running = DossierFactory(proposed=True, at=later)
        other_member = member_of(running.offer)
        ines, hugo = admin_actor().user, admin_actor().user
        before = clocks.running(running, ClockKind.HOLDER_ANSWER)

        # Inès chooses the dossiers and says why.
        admin = visit(ines)
        propose(admin, lost, kind="reinstate")
        propose(admin, running, kind="extend", extra_days="3")
        # What she proposed, she cannot confirm.
        confirm_all(admin)
        admin.must_say("Une autre personne que celle qui propose doit confirmer.")
        assert Dossier.objects.get(pk=lost.pk).state == "lapsed"
        assert not Relief.objects.filter(confirmed_by__isnull=False).exists()

        # Hugo can, and confirming twice gives nothing twice.
        admin = visit(hugo)
        confirm_all(admin)
        admin.must_say("1 dossiers aidés sur 1.")
        confirm_all(admin)

        assert Dossier.objects.get(pk=lost.pk).state == "requested"
        fresh = clocks.running(lost, ClockKind.PROVIDER_ANSWER)
        assert fresh.due_at > later
        after = clocks.running(running, ClockKind.HOLDER_ANSWER)
        assert after.last_day == workdays.add_workdays(before.last_day, 3)
        assert running.deadlines.filter(kind=ClockKind.HOLDER_ANSWER).count() == 2

        # The organisation answers at last.
        organisation = visit(member)
        organisation.open(f"/demandes/{lost.pk}")
        organisation.must_say(REASON)
        organisation.press("Envoyer la proposition")
        organisation.must_say("À valider par le titulaire")

    for start, concerned in (
        ("Dossier rétabli", [lost.holder.user, member]),
        ("Délai prolongé", [running.holder.user, other_member]),
    ):
        for person in concerned:
            subjects = letters(person, at=later)
            assert len([subject for subject in subjects if subject.startswith(start)]) == 1, subjects


def propose(admin, dossier, **fields):
    admin.open(f"/administration/dossiers/dossier/?q={dossier.number}")
    form = admin.page.get_element_by_id("changelist-form")
    form.fields["action"] = "propose_relief"
    form.fields["_selected_action"] = [str(dossier.pk)]
    admin.open(admin.url, urlencoded(form))
    admin.press("Enregistrer", reason=REASON, **fields)
    admin.must_say("La remise est proposée. Une autre personne doit la confirmer.")


def confirm_all(admin):
    admin.open("/administration/dossiers/relief/")
    form = admin.page.get_element_by_id("changelist-form")
    form.fields["action"] = "confirm"
    form.fields["_selected_action"] = [str(pk) for pk in Relief.objects.values_list("pk", flat=True)]
    admin.open(admin.url, urlencoded(form))


def urlencoded(form) -> bytes:
    """What the list of the admin sends: its action and the chosen rows."""
    return urlencode([pair for pair in form.form_values() if pair[1] is not None]).encode()
