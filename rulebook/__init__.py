"""The law on a given day: `rulebook.on(day).withdrawal_days`.

    import rulebook

    rules = rulebook.on(workdays.paris_day(at))

Amounts, delays, caps and lists set by law are dated rows, written in `parameters.yaml`.
"""

from rulebook.rules import NoRuleInForce, Rules, Term, on

__all__ = ["NoRuleInForce", "Rules", "Term", "on"]
