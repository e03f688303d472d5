"""What the functions of ``@wamp.credentials`` know, in the form in which a router takes it.

Whoever is not known gets a challenge as everybody else does, made up and not to be met; a refusal at
once would tell which names there are. It has the form of the last true one: the same parameters, and
a salt that stays the same for a name.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .names import VISITOR, problem_of_role

#: The methods that a function of the application can stand behind.
METHODS: Final = ("wampcra", "scram", "cryptosign", "tls")
#: Rounds of PBKDF2 that a router computes for a salted secret, on the thread that routes.
MAX_ROUNDS: Final = 10_000
#: Characters of a secret.
MAX_SECRET: Final = 1024
_KDFS: Final = ("argon2id-13", "pbkdf2")


@dataclass(frozen=True, slots=True)
class Principal:
    """A role, and what a router needs to challenge somebody for it.

    :ivar answer: keys of a dynamic authenticator's answer; never shown.
    :ivar is_known: False where it is made up.
    """

    authrole: str
    answer: dict[str, Any] = field(repr=False)
    is_known: bool = True


class Challenges:
    """Makes principals of what the application knows about a name, or of nothing.

    :param key: keeps made-up salts from being guessed.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)
        self._last: dict[str, Principal] = {}

    def principal(self, method: str, authid: str, known: Any, public_key: Any = None) -> Principal:
        """Return the principal for *authid*.

        :param known: what the application's function has returned; None for an unknown authid.
        :param public_key: the client's word for its key, with ``cryptosign``.
        :raises TypeError: *known* cannot be; the text is for the log, and shows no value of it.
        """
        if known is None or known is False:
            return self._made_up(method, authid)
        if not isinstance(known, Mapping):
            raise TypeError(
                f"@wamp.credentials({method!r}): the function returned a {type(known).__name__}: "
                "return a dict, or None where it does not know the authid"
            )
        given = {str(key).replace("-", "_"): value for key, value in known.items()}
        problem = problem_of_role(given.get("role"))
        if problem:
            raise TypeError(f"@wamp.credentials({method!r}): {problem}")
        read = _READERS[method](given, public_key)
        principal = Principal(given["role"], read)
        self._last[method] = principal
        return principal

    def _made_up(self, method: str, authid: str) -> Principal:
        last = self._last.get(method, _FIRST[method])
        answer = dict(last.answer)
        for name in ("secret", "pubkey", "stored-key", "server-key"):
            if name in answer:
                answer[name] = secrets.token_hex(32)
        if "salt" in answer:
            salt = hmac.new(self._key, authid.encode("utf-8", "replace"), hashlib.sha256)
            answer["salt"] = (salt.hexdigest() * 8)[: len(answer["salt"])]
        return Principal(last.authrole, answer, is_known=False)


def _wampcra(given: Mapping[str, Any], _public_key: Any) -> dict[str, Any]:
    secret = given.get("secret")
    if not isinstance(secret, str) or not 0 < len(secret) <= MAX_SECRET:
        raise _unfit("wampcra", "secret", f"the shared secret, a str of 1 to {MAX_SECRET}")
    answer: dict[str, Any] = {"secret": secret}
    if given.get("salt") is None:
        return answer
    if not isinstance(given["salt"], str) or not 0 < len(given["salt"]) <= MAX_SECRET:
        raise _unfit("wampcra", "salt", "a str")
    answer["salt"] = given["salt"]
    answer["iterations"] = _whole(
        "wampcra", "iterations", given.get("iterations", 1000), MAX_ROUNDS
    )
    answer["keylen"] = _whole("wampcra", "keylen", given.get("keylen", 32), 64)
    return answer


def _scram(given: Mapping[str, Any], _public_key: Any) -> dict[str, Any]:
    kdf = given.get("kdf", _KDFS[0])
    if kdf not in _KDFS:
        raise _unfit("scram", "kdf", f"one of {', '.join(_KDFS)}")
    return {
        "salt": _hexadecimal("scram", "salt", given.get("salt"), 8, 64),
        "stored-key": _hexadecimal("scram", "stored_key", given.get("stored_key"), 32, 32),
        "server-key": _hexadecimal("scram", "server_key", given.get("server_key"), 32, 32),
        "iterations": _whole("scram", "iterations", given.get("iterations"), 10_000_000),
        "memory": _whole("scram", "memory", given.get("memory"), 2**22),
        "kdf": kdf,
    }


def _cryptosign(given: Mapping[str, Any], public_key: Any) -> dict[str, Any]:
    keys = given.get("public_keys", given.get("public_key"))
    keys = [keys] if isinstance(keys, str | bytes) else keys
    if not isinstance(keys, list | tuple | set | frozenset) or not keys:
        raise _unfit("cryptosign", "public_keys", "a list of keys, hexadecimal")
    stored = [_hexadecimal("cryptosign", "public_keys", key, 32, 32) for key in keys]
    if public_key is None:
        return {"pubkey": stored[0]}
    sent = public_key.lower().encode("utf-8", "replace") if isinstance(public_key, str) else b""
    # All of them are compared, and the stored one goes on, so that a client's is never believed.
    found = [key for key in stored if hmac.compare_digest(key.encode(), sent)]
    return {"pubkey": found[0] if found else secrets.token_hex(32)}


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any], Any], dict[str, Any]]]] = {
    "wampcra": _wampcra,
    "scram": _scram,
    "cryptosign": _cryptosign,
}
#: What a challenge looks like before there was a true one.
_FIRST: Final[Mapping[str, Principal]] = {
    "wampcra": Principal(VISITOR, {"secret": ""}),  # nosec B105
    "scram": Principal(
        VISITOR,
        {
            "salt": "0" * 32,
            "stored-key": "",
            "server-key": "",
            "iterations": 4096,
            "memory": 512,
            "kdf": _KDFS[0],
        },
    ),
    "cryptosign": Principal(VISITOR, {"pubkey": ""}),
}


def _whole(method: str, name: str, value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most:
        raise _unfit(method, name, f"a whole number from 1 to {most}")
    return value


def _hexadecimal(method: str, name: str, value: Any, least: int, most: int) -> str:
    try:
        data = value if isinstance(value, bytes) else bytes.fromhex(value)
    except (TypeError, ValueError):
        data = b""
    if not least <= len(data) <= most:
        raise _unfit(method, name, f"{least} to {most} bytes, or their hexadecimal digits")
    return data.hex()


def _unfit(method: str, name: str, remedy: str) -> TypeError:
    """Return the error for a value, which it does not show: it may be a secret."""
    return TypeError(f"@wamp.credentials({method!r}): {name!r} cannot be so: give {remedy}")
