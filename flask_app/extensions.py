"""The extensions, apart from the factory so that the views can import them."""

from flask_wamp import WAMP

wamp = WAMP()
