from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import translation

from dossiers.states import CLOCK_OF, MOVES, WHOSE_TURN, State

DOCUMENT = settings.BASE_DIR / "docs" / "states.md"

HEADING = """\
# The life of a dossier

Generated from `dossiers/states.py` by `manage.py write_states_doc`; do not edit. Words that people
read are in French, as on screen.
"""


class Command(BaseCommand):
    help = "Écrit docs/states.md d'après dossiers/states.py."

    def add_arguments(self, parser):
        parser.add_argument(
            "--check", action="store_true", help="Vérifie que le document est à jour, sans l'écrire."
        )

    def handle(self, *args, **options):
        text = document()
        if not options["check"]:
            DOCUMENT.write_text(text, encoding="utf-8")
            self.stdout.write("Écrit : docs/states.md")
        elif not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != text:
            raise CommandError("docs/states.md n'est pas à jour : lancez manage.py write_states_doc.")


def document() -> str:
    with translation.override("fr"):
        return "\n".join([HEADING, *_diagram(), *_states(), *_moves()])


def _diagram() -> list[str]:
    arrows = []
    for verb, move in MOVES.items():
        for source in State:
            for target in State:
                if source in move.sources and target in move.targets:
                    arrows.append(f"    {source.value} --> {target.value}: {verb}")
    return ["```mermaid", "stateDiagram-v2", "    [*] --> draft", *arrows, "```", ""]


def _states() -> list[str]:
    lines = ["## States", "", "| state | on screen | whose turn | clock |", "| --- | --- | --- | --- |"]
    for state in State:
        turn, clock = WHOSE_TURN.get(state), CLOCK_OF.get(state)
        cells = [f"`{state.value}`", state.label, turn.label if turn else "–", clock.label if clock else "–"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return [*lines, ""]


def _moves() -> list[str]:
    lines = ["## Moves", "", "| verb | from | to | by |", "| --- | --- | --- | --- |"]
    for verb, move in MOVES.items():
        sources = ", ".join(f"`{state.value}`" for state in State if state in move.sources)
        targets = ", ".join(f"`{state.value}`" for state in State if state in move.targets)
        roles = ", ".join(sorted(str(role.label) for role in move.roles))
        lines.append(f"| `{verb}` | {sources} | {targets} | {roles} |")
    return [*lines, ""]
