"""Flow control for progressive results, which WAMP itself has none of.

Between a generator and the loop that takes its results lie the callee's transport, the router's
buffer for the caller, and the caller's own queue; nothing in the protocol keeps any of them from
growing. So the callee asks ``flask_wamp.flow.check`` after every some results
(:mod:`flask_wamp._twisted.serve.window`), and goes on when the answer is that the caller takes them:
the question travels behind the results, so its answer alone says that they have reached the
router. In the router's process :mod:`flask_wamp.crossbar.flow_host` answers it, looking at what the
caller's transport has yet to send, and at the streams whose callers said ``flask_wamp.flow.pause``
(:mod:`flask_wamp._twisted.replies`). Where no node of ours hosts it, the router's "no such
procedure" is the answer, and the first of the three is kept small.

It answers at once, always: Crossbar.io 26.10 breaks when the caller of an in-memory session leaves
before the answer.
"""

#: What the procedures' URIs begin with.
FLOW = "flask_wamp.flow."
#: The length of what a session may call a stream.
MAX_TOKEN = 64
#: What ``check`` answers: send more, wait, or stop: there is no such session any more, which a
#: callee is not told of when the call was canceled with "skip" before.
GOES_ON, IS_FULL, IS_GONE = "goes on", "is full", "is gone"
