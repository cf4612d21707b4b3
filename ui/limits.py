"""How often one connection to the internet has asked for something that is open to all.

Not a limit of allauth's, which counts what is sent, never what is read.
"""

import ipaddress

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

MINUTE = 60
# What a provider gives one home of IPv6 (RFC 6177).
HOME_BITS = 64


def asks_too_often(request: HttpRequest, action: str) -> bool:
    """More than settings.OPEN_LIMITS allows in a minute, this time included."""
    return _asked(request, action) > settings.OPEN_LIMITS[action]


def _asked(request: HttpRequest, action: str) -> int:
    """How often this address has asked in its current minute, this time included; 0 for an unknown one."""
    if not (address := _address(request)):
        return 0
    counter = f"asked:{action}:{address}"
    cache.add(counter, 0, MINUTE)
    try:
        asked = cache.incr(counter)
    except ValueError:  # its minute ended between the two
        return 1
    if asked == 1:  # or within `incr`, which then begins one without an end
        cache.touch(counter, MINUTE)
    return asked


def _address(request: HttpRequest) -> str:
    """Of a whole home, where its devices share one, as in IPv6: who draws a new one each time is the same."""
    try:
        address = get_adapter().get_client_ip(request)
    except PermissionDenied:  # it did not come through the proxies that are counted: a monitor, ourselves
        address = request.META.get("REMOTE_ADDR", "")
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    # Some proxies write an address of IPv4 as one of IPv6: all of these have one beginning.
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, HOME_BITS), strict=False))
