"""Tests with a test reactor and clock."""

import txaio

# Before Autobahn's modules take their time functions from it.
txaio.use_twisted()
