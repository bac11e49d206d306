"""Tokens, key files and passwords: what is accepted, what is refused, and what never shows."""

from pathlib import Path

import pytest
from argon2 import PasswordHasher
from cryptography.fernet import Fernet, MultiFernet

from opensdrs.domain.errors import Refused
from opensdrs.domain.ids import ProjectId
from opensdrs.iam.identity import Login
from opensdrs.iam.keys import KeyFileError, load_keys
from opensdrs.iam.model import Domain, Project, Role, User
from opensdrs.iam.passwords import Passwords
from opensdrs.iam.tokens import LIFETIME_S, Tokens

DOMAIN = Domain(id="d", name="lab")
USER = User(id="u", name="alice", domain=DOMAIN)
PROJECT = Project(id=ProjectId("p"), name="lab", domain=DOMAIN)


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(Fernet.generate_key())])


def test_read_when_the_token_is_fresh_then_its_claims() -> None:
    tokens = Tokens(_keys())
    token, claims = tokens.issue(USER, PROJECT, (Role.READER, Role.ADMIN))
    assert tokens.read(token) == claims
    assert claims.expires_at - claims.issued_at == LIFETIME_S
    assert len(token) < 1500


@pytest.mark.parametrize(("later_s", "is_fine"), [(LIFETIME_S - 1, True), (LIFETIME_S, False)])
def test_read_when_24_hours_have_passed_then_expired(later_s: float, is_fine: bool) -> None:
    clock = Clock()
    tokens = Tokens(_keys(), clock)
    token, _ = tokens.issue(USER, PROJECT, ())
    clock.now += later_s
    if is_fine:
        tokens.read(token)
        return
    with pytest.raises(Refused, match="expired"):
        tokens.read(token)


@pytest.mark.parametrize("forged", ["", "x", "gAAAAA", "é" * 20, "A" * 10000])
def test_read_when_it_is_no_token_then_refused(forged: str) -> None:
    with pytest.raises(Refused) as refusal:
        Tokens(_keys()).read(forged)
    assert refusal.value.kind.code == "APIGW.0301"


def test_read_when_another_key_made_it_then_refused() -> None:
    token, _ = Tokens(_keys()).issue(USER, PROJECT, ())
    with pytest.raises(Refused):
        Tokens(_keys()).read(token)


def test_issue_when_got_with_a_token_then_it_ends_no_later() -> None:
    clock = Clock()
    tokens = Tokens(_keys(), clock)
    _, first = tokens.issue(USER, None, ())
    clock.now += 3600
    _, second = tokens.issue(USER, PROJECT, (), expires_by=first.expires_at)
    assert second.expires_at == first.expires_at


def test_load_keys_when_there_is_no_file_then_one_that_only_we_read(tmp_path: Path) -> None:
    path = tmp_path / "token.key"
    sealed = load_keys(path).encrypt(b"kept over a restart")
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_keys(path).decrypt(sealed) == b"kept over a restart"


def test_load_keys_when_others_may_read_it_then_refused(tmp_path: Path) -> None:
    path = tmp_path / "token.key"
    load_keys(path)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_keys(path)


def test_load_keys_when_a_new_key_is_put_first_then_old_tokens_are_still_read(tmp_path: Path) -> None:
    path = tmp_path / "token.key"
    token, _ = Tokens(load_keys(path)).issue(USER, PROJECT, ())
    path.write_bytes(Fernet.generate_key() + b"\n" + path.read_bytes())
    assert Tokens(load_keys(path)).read(token).user == USER


@pytest.mark.parametrize("content", [b"", b"not a key\n"])
def test_load_keys_when_the_file_is_damaged_then_refused_without_its_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError) as error:
        load_keys(path)
    assert "not a key\n" not in str(error.value)


async def test_passwords_when_checked_then_only_the_right_one_of_a_user_who_exists() -> None:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$")
    assert await passwords.is_right(stored, "correct horse")
    assert not await passwords.is_right(stored, "wrong")
    assert not await passwords.is_right(None, "nobody's password")
    assert not await passwords.is_right("damaged", "correct horse")


def test_login_when_shown_then_without_the_password() -> None:
    assert "geheim" not in repr(Login(password="geheim", user_name="alice"))
