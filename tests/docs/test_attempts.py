"""The table of attempts is the one that the tests make."""

from tests.attempts import attempts, table, written


def test_attempts_are_those_of_the_tests() -> None:
    assert written() == table(), "write it anew: python -m tests.attempts"


def test_attempts_are_told_apart() -> None:
    told = [(row.about, row.what) for row in attempts()]
    assert len(set(told)) == len(told)
