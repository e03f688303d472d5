"""``flask wamp``: what a person types."""
