"""Credentials in the form of a router, and challenges for those whom nobody knows."""

from typing import Any

import pytest

from flask_wamp.login.credentials import MAX_ROUNDS, Challenges, Principal

KEY = "ab" * 32
SCRAM: dict[str, Any] = {
    "role": "user",
    "salt": bytes(16),
    "stored_key": bytes(32),
    "server-key": "cd" * 32,
    "iterations": 4096,
    "memory": 512,
}


def test_credentials_are_what_a_router_needs() -> None:
    challenges = Challenges()
    assert challenges.principal("wampcra", "alice", {"role": "user", "secret": "s"}) == Principal(
        "user", {"secret": "s"}
    )
    salted = {"role": "user", "secret": "s", "salt": "x", "keylen": 16}
    assert challenges.principal("wampcra", "alice", salted).answer == {
        "secret": "s",
        "salt": "x",
        "iterations": 1000,
        "keylen": 16,
    }
    assert challenges.principal("scram", "alice", SCRAM).answer == {
        "salt": "00" * 16,
        "stored-key": "00" * 32,
        "server-key": "cd" * 32,
        "iterations": 4096,
        "memory": 512,
        "kdf": "argon2id-13",
    }


def test_credentials_are_not_shown() -> None:
    principal = Challenges().principal("wampcra", "alice", {"role": "user", "secret": "hidden"})
    assert "hidden" not in repr(principal)
    with pytest.raises(TypeError) as raised:
        Challenges().principal("wampcra", "alice", {"role": "user", "secret": ["hidden"]})
    assert "hidden" not in str(raised.value)


def test_credentials_answer_with_the_stored_key_alone() -> None:
    known = {"role": "user", "public_keys": [KEY, "01" * 32]}

    def key(sent: Any) -> str:
        return str(Challenges().principal("cryptosign", "alice", known, sent).answer["pubkey"])

    assert key("01" * 32) == "01" * 32
    assert key(KEY.upper()) == KEY
    assert key(None) == KEY
    for stranger in ("02" * 32, "", 7, "\ud800"):
        assert key(stranger) not in (stranger, KEY, "01" * 32)
    single = {"role": "user", "public_key": bytes.fromhex(KEY)}
    assert Challenges().principal("cryptosign", "alice", single).answer == {"pubkey": KEY}


@pytest.mark.parametrize("method", ["wampcra", "scram", "cryptosign"])
def test_credentials_of_nobody_look_like_those_of_the_last(method: str) -> None:
    challenges = Challenges()
    assert challenges.principal(method, "nobody", None).authrole == "anonymous"
    known: dict[str, Any] = {
        "wampcra": {"secret": "s", "salt": "salt", "iterations": 77, "keylen": 20},
        "scram": {**SCRAM, "iterations": 77},
        "cryptosign": {"public_keys": [KEY]},
    }[method]
    true = challenges.principal(method, "alice", {**known, "role": "admin"})
    made_up = challenges.principal(method, "nobody", None)
    again = challenges.principal(method, "nobody", False)
    assert made_up.authrole == "admin"
    assert made_up.answer.keys() == true.answer.keys()
    for name, value in made_up.answer.items():
        if name in ("iterations", "keylen", "memory", "kdf"):
            assert value == true.answer[name]
        else:
            assert value != true.answer[name]
            assert (value == again.answer[name]) is (name == "salt")
    if "salt" in made_up.answer:
        assert len(made_up.answer["salt"]) == len(true.answer["salt"])
        assert challenges.principal(method, "other", None).answer["salt"] != made_up.answer["salt"]


@pytest.mark.parametrize(
    ("method", "known"),
    [
        ("wampcra", "secret"),
        ("wampcra", True),
        ("wampcra", {"secret": "s"}),
        ("wampcra", {"role": "trusted", "secret": "s"}),
        ("wampcra", {"role": "user"}),
        ("wampcra", {"role": "user", "secret": ""}),
        ("wampcra", {"role": "user", "secret": b"s"}),
        ("wampcra", {"role": "user", "secret": "s", "salt": 7}),
        ("wampcra", {"role": "user", "secret": "s", "salt": "x", "iterations": MAX_ROUNDS + 1}),
        ("wampcra", {"role": "user", "secret": "s", "salt": "x", "keylen": True}),
        ("scram", {"role": "user"}),
        ("scram", {**SCRAM, "kdf": "md5"}),
        ("scram", {**SCRAM, "salt": "zz"}),
        ("scram", {**SCRAM, "stored_key": "00"}),
        ("scram", {**SCRAM, "memory": 0}),
        ("cryptosign", {"role": "user"}),
        ("cryptosign", {"role": "user", "public_keys": []}),
        ("cryptosign", {"role": "user", "public_keys": ["00"]}),
        ("cryptosign", {"role": "user", "public_keys": 7}),
    ],
)
def test_credentials_that_cannot_be_are_refused(method: str, known: Any) -> None:
    with pytest.raises(TypeError, match="credentials"):
        Challenges().principal(method, "alice", known)
