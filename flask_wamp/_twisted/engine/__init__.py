"""Whatever reaches into Autobahn, Crossbar.io and Twisted, and nothing else does."""
