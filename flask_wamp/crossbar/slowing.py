"""Who may log in when: guessing is slowed down, and no address logs in too often at a time.

Nothing here knows of a reactor or a session: who stands in line, and for whom one is refused, is a key,
a remote address with the kind of login. IPv6 addresses count by their network, of which a household
has a whole one.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Hashable

#: Refusals of a key that are followed by no delay.
FREE = 5
#: Seconds of delay after the next refusal; they double with each further one.
FIRST_DELAY = 0.5
#: Seconds of delay at most; less for pages, of which a whole company's may have cookies that are over,
#: and come again and again: what they prove themselves with is signed, and not to be guessed.
MAX_DELAY, MAX_DELAY_OF_PAGES = 10.0, 1.0
#: Seconds after its last refusal for which a key is remembered.
REMEMBERED = 600.0
#: Keys that are remembered; the one whose last refusal is longest ago goes first.
MAX_KEYS = 10_000
#: Bits of an IPv6 address that tell networks apart.
IPV6_NETWORK = 64


class Slowing:
    """How long the next answer to a login takes, by how many were refused.

    :param clock: tells the seconds that have passed since some time.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._refusals: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._refusals)

    def refused(self, key: str) -> None:
        """Remember a refusal."""
        self._refusals[key] = self._count(key) + 1, self._clock()
        self._refusals.move_to_end(key)
        while len(self._refusals) > MAX_KEYS:
            self._refusals.popitem(last=False)

    def delay(self, key: str) -> float:
        """Return the seconds that the next answer is to take."""
        above = self._count(key) - FREE
        # The exponent is bounded: a count may grow for as long as somebody guesses.
        most = MAX_DELAY_OF_PAGES if key.startswith("page ") else MAX_DELAY
        return min(FIRST_DELAY * 2 ** min(above - 1, 20), most) if above > 0 else 0.0

    def _count(self, key: str) -> int:
        count, last = self._refusals.get(key, (0, 0.0))
        if count and self._clock() - last > REMEMBERED:
            del self._refusals[key]
            return 0
        return count


class Lines:
    """Lets so many of a key log in at a time; the others wait for their turn, in order.

    :param places: how many of each key.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._inside: dict[str, set[Hashable]] = {}
        self._waiting: dict[str, OrderedDict[Hashable, Callable[[], None]]] = {}

    def __len__(self) -> int:
        return len(self._inside)

    def enter(self, key: str, who: Hashable, go: Callable[[], None]) -> None:
        """Let *go* be called when it is the turn of *who*, which may be now."""
        inside = self._inside.setdefault(key, set())
        if len(inside) < self._places:
            inside.add(who)
            go()
        else:
            self._waiting.setdefault(key, OrderedDict())[who] = go

    def leave(self, key: str, who: Hashable) -> Callable[[], None] | None:
        """*who* is done, or does not wait any more.

        :returns: the *go* of the next one, which has the place now; for the caller to call, soon.
        """
        inside, waiting = self._inside.get(key, set()), self._waiting.get(key)
        following = None
        if who in inside:
            inside.discard(who)
            following = waiting.popitem(last=False) if waiting else None
        elif waiting is not None:
            waiting.pop(who, None)
        if waiting is not None and not waiting:
            del self._waiting[key]
        if following is not None:
            inside.add(following[0])
            return following[1]
        if key in self._inside and not inside:
            del self._inside[key]
        return None


def network_of(address: str) -> str:
    """Return what an address counts as: itself, or its network."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, IPV6_NETWORK), strict=False))
    return str(parsed)
