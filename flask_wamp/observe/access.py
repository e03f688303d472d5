"""Who may see more than that the node is ready: whoever is on this machine, or has the token."""

import hmac
import ipaddress

from flask import Request

from ..secret import Secret

#: Headers of proxies. Where one is there, the peer's address says nothing of who has asked.
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


def may_see(request: Request, token: Secret | None) -> bool:
    """Tell whether what is not for strangers may be shown to who sent *request*.

    With a *token* that is who sends it, ``Authorization: Bearer ...``, wherever he is. Without, it is
    who has connected from this machine, unless a proxy has, for somebody else.
    """
    if token is not None:
        return _has(request, token)
    return _is_local(request)


def _has(request: Request, token: Secret) -> bool:
    sent = request.authorization
    if sent is None or sent.type != "bearer" or not sent.token:
        return False
    return hmac.compare_digest(sent.token.encode(), token.reveal().encode())


def _is_local(request: Request) -> bool:
    addresses = [request.remote_addr or ""]
    named = request.headers.get("X-Forwarded-For")
    if named is not None and "werkzeug.proxy_fix.orig" in request.environ:
        # Werkzeug's ProxyFix, where the application has it, has put the visitor's address in the
        # place of the proxy's, unless it is for other headers alone. So all have to be of here.
        addresses += named.split(",")
    elif any(name in request.headers for name in _FORWARDED):
        return False
    return all(_is_loopback(each.strip()) for each in addresses)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
