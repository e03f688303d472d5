"""A table of URIs and patterns, and which of them decides. Standard library only."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from ..uris import uri_matches

T = TypeVar("T")


class Patterns(Generic[T]):
    """Values by URI or pattern, of which the most specific decides.

    That is, as the router has it for calls, the exact URI, else the longest prefix. Of wildcards
    all decide that match, since none of them is more specific than the others.
    """

    def __init__(self) -> None:
        self._exact: dict[str, T] = {}
        self._prefixes: dict[str, T] = {}
        self._wildcards: dict[int, dict[str, T]] = {}
        # The lengths of prefixes, the longest first: a look-up for each, however many there are.
        self._lengths: list[int] = []
        self._sorted: tuple[list[str], list[str]] | None = None

    def add(self, uri: str, match: str, value: T) -> None:
        """Let *value* decide about what *uri* matches."""
        self._sorted = None
        if match == "exact":
            self._exact[uri] = value
        elif match == "prefix":
            self._prefixes[uri] = value
            self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)
        else:
            self._wildcards.setdefault(uri.count("."), {})[uri] = value

    def deciding(self, uri: str) -> list[T]:
        """Return the values that decide about *uri*: none, one, or those of several wildcards."""
        if uri in self._exact:
            return [self._exact[uri]]
        prefix = self._longest(uri)
        if prefix is not None:
            return [self._prefixes[prefix]]
        return [
            value
            for pattern, value in self._wildcards.get(uri.count("."), {}).items()
            if uri_matches(uri, pattern, "wildcard")
        ]

    def all_matching(self, pattern: str, match: str, allows: Callable[[T], bool]) -> bool:
        """Tell whether every URI that *pattern* matches is decided about, and allowed.

        :param match: ``prefix`` or ``wildcard``; what else a router may know is not allowed.
        """
        if match == "prefix":
            return self._all_below(pattern, allows)
        if match != "wildcard":
            return False
        components = pattern.split(".")
        if all(components):
            found = self.deciding(pattern)
            return bool(found) and all(map(allows, found))
        return self._all_like(components, allows)

    def _all_below(self, prefix: str, allows: Callable[[T], bool]) -> bool:
        longest = self._longest(prefix)
        # Wildcards have so many components, and URIs that begin so have any number.
        if longest is None or not allows(self._prefixes[longest]):
            return False
        return all(
            allows(values[uri])
            for values, uris in self._tables()
            for uri in _beginning(uris, prefix)
        )

    def _all_like(self, components: list[str], allows: Callable[[T], bool]) -> bool:
        """Tell it of a wildcard pattern with these components."""
        start = _determined(components)
        if self._longest(start) is None and not self._wildcards_allow(components, allows):
            return False
        (exact, exact_uris), (prefixes, prefix_uris) = self._tables()
        pattern = ".".join(components)
        if not all(
            allows(exact[uri])
            for uri in _beginning(exact_uris, start)
            if uri_matches(uri, pattern, "wildcard")
        ):
            return False
        longest = self._longest(start)
        candidates = list(_beginning(prefix_uris, start))
        if longest is not None:
            candidates.append(longest)
        return all(allows(prefixes[each]) for each in candidates if self._decides(each, components))

    def _decides(self, prefix: str, components: list[str]) -> bool:
        """Tell whether *prefix* is the longest of some URI like *components*, and no exact one."""
        words = prefix.split(".")
        if len(words) > len(components):
            return False
        *whole, last = words
        if not all(
            word and other in ("", word) for word, other in zip(whole, components, strict=False)
        ):
            return False
        open_at = components[len(whole)]
        if open_at and not open_at.startswith(last):
            return False
        rest = ([open_at] if open_at else [last]) + components[len(whole) + 1 :]
        determined = _determined([*whole, *rest])
        if not open_at and last:
            # More characters may follow in the same component.
            return True
        if all([*whole, *rest]):
            return determined not in self._exact and self._longest(determined) == prefix
        return self._longest(determined) == prefix

    def _wildcards_allow(self, components: list[str], allows: Callable[[T], bool]) -> bool:
        """Tell whether wildcards allow what no prefix and no exact URI decides about."""
        covered = False
        for pattern, value in self._wildcards.get(len(components) - 1, {}).items():
            common = _common(components, pattern.split("."))
            if common is None:
                continue
            covered = covered or common == components
            if all(common):
                uri = ".".join(common)
                is_decided = uri in self._exact or self._longest(uri) is not None
            else:
                is_decided = self._longest(_determined(common)) is not None
            if not is_decided and not allows(value):
                return False
        return covered

    def _longest(self, uri: str) -> str | None:
        for length in self._lengths:
            if uri[:length] in self._prefixes and len(uri) >= length:
                return uri[:length]
        return None

    def _tables(self) -> tuple[tuple[dict[str, T], list[str]], tuple[dict[str, T], list[str]]]:
        """Return exact URIs and prefixes, in alphabetical order each."""
        if self._sorted is None:
            self._sorted = sorted(self._exact), sorted(self._prefixes)
        exact, prefixes = self._sorted
        return (self._exact, exact), (self._prefixes, prefixes)


def _beginning(uris: list[str], start: str) -> Iterator[str]:
    """Yield those of the sorted *uris* that begin with *start*."""
    for index in range(bisect_left(uris, start), len(uris)):
        if not uris[index].startswith(start):
            return
        yield uris[index]


def _determined(components: list[str]) -> str:
    """Return what everything like *components* begins with."""
    if all(components):
        return ".".join(components)
    return "".join(f"{word}." for word in components[: components.index("")])


def _common(one: list[str], other: list[str]) -> list[str] | None:
    """Return what is like both; None where nothing is."""
    if any(a and b and a != b for a, b in zip(one, other, strict=True)):
        return None
    return [a or b for a, b in zip(one, other, strict=True)]
