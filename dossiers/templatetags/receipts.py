"""A price as a receipt: {% load receipts %}."""

from django import template

from dossiers import funding

register = template.Library()


@register.filter
def paid_by(offer, wallet) -> funding.Plan | None:
    """{{ offer|paid_by:wallet }}: how this wallet pays its price; None without a wallet."""
    return wallet.plan(offer) if wallet else None
