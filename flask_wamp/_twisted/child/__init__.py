"""The process that serves, for a supervisor: ``python -m flask_wamp._twisted.child SETTINGS``.

*SETTINGS* is JSON, :class:`~flask_wamp._twisted.supervise.settings.ChildSettings`. The process has
four descriptors:

- 0: commands, one word a line. ``take``: take over what another process has alone, and the events;
  ``taken`` is reported when it is so, and only then may that other process be drained. ``nudge``: ask
  now for what another process had. ``drain``: finish, and end. Its end is the supervisor's: the
  process ends at once.
- 1 and 2: what views print and log; lines that are logged begin with their priority, ``<4>``, as
  sd-daemon(3) has it.
- 3: reports, one JSON object a line, told apart by ``is``: ``loaded``, the application was imported;
  ``ready``: it serves; ``beat``, every 0.25 s from then on and before; ``taken``; ``drained``;
  ``failed``, with the reason, before it ends with 1.

SIGTERM lets it finish and end, at once the second time. SIGUSR1 writes down where its threads are.
SIGINT and SIGHUP, which a terminal sends to all, are the supervisor's business.
"""
