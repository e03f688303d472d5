"""Who a page is: the login of the Flask application, as WAMP has it."""

from .handshake import Handshake as Handshake
