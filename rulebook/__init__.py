"""The law on a given day: `rulebook.on(day).withdrawal_days`.

    import rulebook

    rules = rulebook.on(workdays.paris_day(at))

Amounts, delays, caps and lists set by law are dated rows, written in `parameters.yaml`.
"""

from rulebook.references import Reference, references
from rulebook.rules import CreditingRules, NoRuleInForce, Rules, Term, crediting_on, on

__all__ = [
    "CreditingRules",
    "NoRuleInForce",
    "Reference",
    "Rules",
    "Term",
    "crediting_on",
    "on",
    "references",
]
