"""Who answers for money that waits: what `rights` cannot know by itself, told from above.

`rights` never hears of dossiers. An app that reserves says, when it is loaded, in which of its rows the
pockets it reserved are named; the check of the ledger then finds a reservation that nobody answers for.
"""

CLAIMS: list[str] = []
"""Queries that give the ids of reserved pockets, once for each row that names one. Empty: nobody is asked."""


def claim(query: str) -> None:
    if query not in CLAIMS:
        CLAIMS.append(query)
