"""Whether the view itself has run, and what a redirect is where it has not."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, g, redirect
from flask_login import LoginManager
from werkzeug.utils import redirect as plain_redirect

from flask_wamp import WAMP
from flask_wamp.login.frames import code_of
from flask_wamp.serve.denials import leads_to_login
from flask_wamp.serve.entrance import Entrance

from ..doubles import Caller, Declare, View

DENIED, REDIRECT = "wamp.error.not_authorized", "wamp.error.redirect"


def guard(view: Callable[..., Any]) -> Callable[..., Any]:
    """Redirect, but where there is ``allow=True``."""

    @functools.wraps(view)
    def guarded(*args: Any, allow: bool = False, **kwargs: Any) -> Any:
        return view(*args, **kwargs) if allow or g.get("allow") else plain_redirect("/x")

    return guarded


def by_name(view: Callable[..., Any]) -> Callable[..., Any]:
    """Take keyword arguments alone, as the tutorial's guard does."""

    @functools.wraps(view)
    def named(**kwargs: Any) -> Any:
        return view(**kwargs)

    return named


class CallableView:
    """A view that is an object."""

    __name__ = "object_"

    def __call__(self) -> str:
        return "called"


def test_entrance_redirect_before_the_view_is_a_denial(declare: Declare, call: Caller) -> None:
    @declare
    @guard
    @guard
    def view() -> str:
        return "never"

    error = call.error("view")
    assert (error.uri, error.args, error.kwargs) == (
        DENIED,
        ("a guard redirects",),
        {"status": 302, "location": "/x"},
    )


def test_entrance_redirect_of_the_view_is_none(app: Flask, declare: Declare, call: Caller) -> None:
    def allow(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def allowed() -> Any:
            g.allow = True
            return view()

        return allowed

    @declare
    @allow
    @guard
    def view() -> Any:
        return redirect("/auth/login")

    assert call.error("view").uri == REDIRECT


def test_entrance_redirect_of_a_decorator_behind_the_view_is_none(
    declare: Declare, call: Caller
) -> None:
    ran = []

    def afterwards(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def run() -> Any:
            view()
            return redirect("/x")

        return run

    @declare
    @afterwards
    def view() -> None:
        ran.append(1)

    assert (call.error("view").uri, ran) == (REDIRECT, [1])


def test_entrance_that_raises_and_is_redirected(app: Flask, view: View, call: Caller) -> None:
    class NotLoggedInError(Exception):
        pass

    app.register_error_handler(NotLoggedInError, lambda _error: redirect("/auth/enter"))

    def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inner() -> Any:
            raise NotLoggedInError

        return inner

    @view("/a")
    @guarded
    def a() -> None:
        pass

    @view("/b")
    def b() -> None:
        raise NotLoggedInError

    assert [call.error(uri).uri for uri in "ab"] == [DENIED, REDIRECT]


@pytest.mark.parametrize(
    ("location", "is_denial"),
    [
        ("/auth/login", True),
        ("http://localhost/auth/login?next=/x", True),
        ("/in", True),
        ("/again", True),
        ("/of-the-shop", True),
        ("/sign-in", True),
        ("/x", False),
        ("/nowhere", False),
        ("", False),
        ("//[", False),
    ],
)
def test_entrance_of_an_async_view_is_told_by_where_it_leads(
    app: Flask, view: View, call: Caller, location: str, is_denial: bool
) -> None:
    """It runs on a thread of its own."""
    manager = LoginManager(app)
    manager.login_view = "enter"
    manager.refresh_view = "/again"
    manager.blueprint_login_views["shop"] = "enter_shop"
    for rule, endpoint in (
        ("/auth/login", "auth.login"),
        ("/in", "enter"),
        ("/of-the-shop", "enter_shop"),
        ("/sign-in", "sign_in"),
        ("/x", "logins"),
    ):
        app.add_url_rule(rule, endpoint=endpoint, view_func=lambda: "")

    def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inner() -> Any:
            return app.ensure_sync(function)() if g.get("allow") else plain_redirect(location)

        return inner

    @view("/later")
    @guarded
    async def later() -> Any:
        return "never"

    @view("/at-once")
    async def at_once() -> Any:
        return plain_redirect(location)

    assert call.error("later").uri == (DENIED if is_denial else REDIRECT)
    assert call.error("at_once").uri == REDIRECT
    assert leads_to_login(app, location) is is_denial


def test_entrance_leaves_a_profiler_alone(app: Flask, declare: Declare, call: Caller) -> None:
    app.add_url_rule("/auth/login", endpoint="login", view_func=lambda: "")

    def to_login(view: Callable[..., Any]) -> Callable[..., Any]:
        return functools.wraps(view)(lambda: redirect("/auth/login"))

    @declare
    @guard
    def elsewhere() -> None:
        pass

    @declare
    @to_login
    def mine() -> None:
        pass

    def profile(*_: Any) -> None:
        pass

    sys.setprofile(profile)
    try:
        errors = [call.error("elsewhere").uri, call.error("mine").uri]
        assert sys.getprofile() is profile
    finally:
        sys.setprofile(None)
    assert errors == [REDIRECT, DENIED]
    assert call.error("elsewhere").uri == DENIED
    assert sys.getprofile() is None


def test_entrance_ends_its_look_at_the_view_and_at_errors(declare: Declare, call: Caller) -> None:
    seen = []

    @declare
    @by_name
    def view(fail: bool = False) -> None:
        seen.append(sys.getprofile())
        if fail:
            raise RuntimeError

    def broken(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def fails() -> Any:
            raise RuntimeError

        return fails

    @declare
    @broken
    def other() -> None:
        pass

    call("view")
    call.error("view", fail=True)
    call.error("other")
    assert seen == [None, None]
    assert sys.getprofile() is None


def test_entrance_decorator_that_takes_keywords_alone(declare: Declare, call: Caller) -> None:
    @declare
    @guard
    @by_name
    def add(a: int, b: int = 2, allow: bool = False) -> int:
        return a + b

    @declare
    @by_name
    def all_(first: int, *rest: int) -> int:
        return first + sum(rest)

    g_allowed = {"allow": True}
    assert call("add", 1, 3, **g_allowed) == 4
    assert call("add", 1, **g_allowed) == 3
    assert call.error("add").uri == "wamp.error.invalid_argument"
    # What has no name cannot be given by one.
    assert call.error("all_", 1, 2).uri == "wamp.error.runtime_error"


def test_entrance_decorator_of_a_route_finds_arguments_by_name(view: View, call: Caller) -> None:
    """As in Flask, which gives the variables of a URL so."""

    def owner(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def check(*args: Any, **kwargs: Any) -> Any:
            return [kwargs["number"], function(*args, **kwargs)]

        return check

    @view("/posts/<int:number>")
    @owner
    def post(number: int, text: str = "x") -> str:
        return text

    assert call("post", 3, "y") == [3, "y"]


def test_entrance_code_of_what_is_called() -> None:
    def function(a: int) -> int:
        return a

    code = function.__code__
    assert code_of(function) is code
    assert code_of(functools.partial(function, 1)) is code
    assert code_of(CallableView()) is CallableView.__call__.__code__
    assert code_of(CallableView().__call__) is CallableView.__call__.__code__
    assert code_of(len) is None
    assert Entrance(functools.lru_cache(function)).code is code


def test_entrance_view_without_code_of_its_own(wamp: WAMP, call: Caller) -> None:
    wamp.callee("length")(len)
    wamp.callee("object")(CallableView())
    assert (call("length", [1, 2]), call("object")) == (2, "called")
