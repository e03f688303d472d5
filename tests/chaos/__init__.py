"""Chaos: a node under a load of known calls, while its parts are killed, stopped, hung and cut off.

``python -m tests.chaos --help``; the ledger (:mod:`.ledger`) says what has become of every call.
"""
