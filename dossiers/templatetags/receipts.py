"""A price as a receipt: {% load receipts %}."""

from django import template

from dossiers import funding

register = template.Library()


@register.filter
def paid_by(price_cents: int, wallet) -> funding.Plan | None:
    """{{ offer.price_cents|paid_by:wallet }}: how this wallet pays that price; None without a wallet."""
    return wallet.plan(price_cents) if wallet else None
