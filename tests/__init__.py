"""The tests of flask-wamp."""
