"""Lines of output, whatever a process prints."""

import logging

from flask_wamp._twisted.supervise.lines import LONGEST_LINE, Lines, log_line


def fed(*pieces: bytes, end: bool = True, longest: int = LONGEST_LINE) -> list[str]:
    found: list[str] = []
    lines = Lines(found.append, longest)
    for piece in pieces:
        lines.feed(piece)
    if end:
        lines.end()
    return found


def test_lines_come_whole_however_they_are_cut() -> None:
    text = "one\ntwo ä\r\n\nfour".encode()
    whole = ["one", "two ä", "", "four"]
    assert fed(text) == whole
    assert fed(*(text[i : i + 1] for i in range(len(text)))) == whole
    assert fed(b"unfinished", end=False) == []


def test_long_line_is_cut_once_and_the_next_one_is_whole() -> None:
    long = b"x" * 100_000
    cut = "x" * LONGEST_LINE + " ..."
    assert fed(long + b"\nnext\n") == [cut, "next"]
    pieces = [long[i : i + 5000] for i in range(0, len(long), 5000)]
    assert fed(*pieces, b"\nnext\n") == [cut, "next"]
    assert fed(long, end=False) == [cut]


def test_what_is_no_text_is_shown_all_the_same() -> None:
    assert fed(b"\xff\xfe\n") == ["\ufffd\ufffd"]


def test_priorities_are_levels() -> None:
    logged: list[tuple[str, str]] = []

    def log(level: str, text: str) -> None:
        logged.append((level, text))

    for number, line in enumerate(("<2>gone", "<3>disk full", "<7>detail", "<html>", "<9>plain")):
        log_line(log, line, logging.WARNING, f"[{number}] ")
    assert log_line(log, "plain", logging.INFO) == "plain"
    assert logged == [
        ("critical", "[0] gone"),
        ("error", "[1] disk full"),
        ("debug", "[2] detail"),
        ("warn", "[3] <html>"),
        ("warn", "[4] <9>plain"),
        ("info", "plain"),
    ]
