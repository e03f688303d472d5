"""The exception tree, the URI table, and what travels in an exception."""

import copy
import pickle
import re
from typing import Any

import pytest

from flask_wamp import errors
from flask_wamp.errors import (
    ApplicationError,
    CallTimeout,
    ConfigError,
    InvalidArgument,
    NoSuchProcedure,
    NotConnected,
    OptionError,
    RemoteError,
    WAMPError,
)
from flask_wamp.serve.statuses import URI_BY_STATUS, uri_for_status

DRAWN = re.compile(
    r"^(?P<indent>[ │]*)[├└]── (?P<name>\w+)(?: \((?P<bases>[\w, ]+)\))?", re.MULTILINE
)


def drawn_tree() -> set[tuple[str, str, str]]:
    """Return (class, base, further base) as the module's docstring draws them."""
    tree = set()
    above = ["WAMPError"]
    for line in DRAWN.finditer(errors.__doc__ or ""):
        depth = (len(line["indent"]) - 4) // 4 + 1
        del above[depth:]
        tree.add((line["name"], above[-1], line["bases"] or ""))
        above.append(line["name"])
    return tree


def real_tree(base: type[WAMPError] = WAMPError) -> set[tuple[str, str, str]]:
    """Return (class, base, further base) of the module's classes."""
    tree = set()
    for cls in base.__subclasses__():
        if cls.__module__ == errors.__name__:
            others = ", ".join(other.__name__ for other in cls.__bases__ if other is not base)
            tree |= {(cls.__name__, base.__name__, others)} | real_tree(cls)
    return tree


def test_errors_tree_is_the_drawn_one() -> None:
    assert len(drawn_tree()) == 19
    assert drawn_tree() == real_tree()


def test_errors_drawn_uris_are_those_of_the_classes() -> None:
    text = errors.__doc__ or ""
    for cls in RemoteError.__subclasses__():
        if cls.__module__ == errors.__name__:
            drawn = re.search(rf"── {cls.__name__} +(.+)", text)
            assert drawn
            first, *more = drawn[1].split(", ")
            for uri in (first, *(f"wamp.error.{name}" for name in more)):
                assert type(RemoteError.from_uri(uri)) is cls


@pytest.mark.parametrize("cls", [ConfigError, OptionError, CallTimeout, NotConnected])
def test_errors_are_also_the_builtin_ones(cls: type[WAMPError]) -> None:
    builtin = {
        ConfigError: ValueError,
        OptionError: ValueError,
        CallTimeout: TimeoutError,
        NotConnected: ConnectionError,
    }
    assert issubclass(cls, builtin[cls])


@pytest.mark.parametrize(
    ("status", "uri"),
    [
        (302, "wamp.error.redirect"),
        (304, "wamp.error.redirect"),
        (400, "wamp.error.invalid_argument"),
        (401, "wamp.error.not_authorized"),
        (403, "wamp.error.not_authorized"),
        (404, "wamp.error.not_found"),
        (405, "wamp.error.method_not_allowed"),
        (408, "wamp.error.timeout"),
        (409, "wamp.error.conflict"),
        (410, "wamp.error.not_found"),
        (412, "wamp.error.precondition_failed"),
        (413, "wamp.error.payload_size_exceeded"),
        (415, "wamp.error.invalid_argument"),
        (418, "wamp.error.invalid_argument"),
        (422, "wamp.error.invalid_argument"),
        (429, "wamp.error.too_many_requests"),
        (451, "wamp.error.invalid_argument"),
        (500, "wamp.error.runtime_error"),
        (501, "wamp.error.not_implemented"),
        (502, "wamp.error.runtime_error"),
        (503, "wamp.error.unavailable"),
        (504, "wamp.error.timeout"),
        (599, "wamp.error.runtime_error"),
    ],
)
def test_errors_uri_for_status(status: int, uri: str) -> None:
    assert uri_for_status(status) == uri


def test_errors_uri_table_is_tested_whole() -> None:
    tested = test_errors_uri_for_status.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert set(URI_BY_STATUS) <= {status for status, _ in tested}


@pytest.mark.parametrize(
    ("uri", "cls"),
    [
        ("wamp.error.no_such_procedure", "NoSuchProcedure"),
        ("wamp.error.not_authorized", "NotAuthorized"),
        ("wamp.error.authorization_failed", "NotAuthorized"),
        ("wamp.error.invalid_argument", "InvalidArgument"),
        ("wamp.error.canceled", "Canceled"),
        ("wamp.error.runtime_error", "RemoteError"),
        ("com.example.no_stock", "RemoteError"),
    ],
)
def test_errors_remote_error_from_uri(uri: str, cls: str) -> None:
    error = RemoteError.from_uri(uri, ["no", 1], {"left": 0})
    assert type(error).__name__ == cls
    assert (error.uri, error.args, error.kwargs) == (uri, ("no", 1), {"left": 0})


def test_errors_remote_error_keeps_its_own_keywords() -> None:
    keywords = {"left": 0}
    error = RemoteError("com.example.no_stock", (), keywords)
    keywords["left"] = 1
    assert error.kwargs == {"left": 0}


def test_errors_subclass_of_a_user_takes_no_uri() -> None:
    class Mine(RemoteError):
        pass

    assert type(RemoteError.from_uri("com.example.mine")) is RemoteError
    assert Mine("com.example.mine").uri == "com.example.mine"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RemoteError("com.example.x"), "com.example.x"),
        (RemoteError("com.example.x", ["a", 2]), "com.example.x: a, 2"),
        (RemoteError("com.example.x", ["a"], {"left": "b"}), "com.example.x: a, left='b'"),
        (
            RemoteError("com.example.x", ["a"], {"status": 404, "description": "a"}),
            "com.example.x: a, status=404",
        ),
        (
            RemoteError("com.example.x", ["a"], {"description": "b"}),
            "com.example.x: a, description='b'",
        ),
        (ApplicationError("com.example.x", "a", left="b"), "com.example.x: a, left='b'"),
    ],
)
def test_errors_text_has_uri_and_payload(error: Exception, text: str) -> None:
    assert str(error) == text


def test_errors_application_error_takes_any_keyword() -> None:
    error = ApplicationError("com.example.x", uri="u", args=1, self=2, kwargs=3)
    assert error.uri == "com.example.x"
    assert error.kwargs == {"uri": "u", "args": 1, "self": 2, "kwargs": 3}


@pytest.mark.parametrize(
    "error",
    [
        RemoteError("com.example.x", ["a", 2], {"left": "b"}),
        NoSuchProcedure("wamp.error.no_such_procedure", ["a"]),
        InvalidArgument("wamp.error.invalid_argument", (), {"parameter": "a"}),
        ApplicationError("com.example.x"),
        ApplicationError("com.example.x", "a", 2, left="b"),
        CallTimeout("no answer"),
        NotConnected("no session"),
        ConfigError("WAMP_URL"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("duplicate", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])  # noqa: S301
def test_errors_survive_pickling(error: Exception, duplicate: Any) -> None:
    twin = duplicate(error)
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert twin.args == error.args
    assert vars(twin) == vars(error)


@pytest.mark.parametrize("cls", [errors.Unanswered, CallTimeout, NotConnected])
@pytest.mark.parametrize(
    "copied",
    [copy.copy, lambda each: pickle.loads(pickle.dumps(each))],  # noqa: S301 - its own
)
def test_errors_of_what_was_not_answered_keep_its_fate(cls: Any, copied: Any) -> None:
    error = copied(cls("no answer", may_have_run=False))
    assert (type(error), str(error), error.may_have_run) == (cls, "no answer", False)
