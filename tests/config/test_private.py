from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.config.private import read_shared_secrets, refuse_exposed
from authorizer.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

ONE, OTHER = b"1" * 32, b"2" * 64


def saved(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640, 0o660])
def test_a_file_for_its_owner_and_group_is_private(tmp_path: Path, mode: int) -> None:
    refuse_exposed(saved(tmp_path, b"", mode), "private key")


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o444, 0o666])
def test_a_file_for_everyone_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = saved(tmp_path, ONE, mode)
    for look in (lambda: refuse_exposed(path, "shared secret"), lambda: read_shared_secrets(path)):
        with pytest.raises(ConfigError) as refused:
            look()
        [problem] = refused.value.problems
        assert str(problem) == (
            f"{path}: everyone on this machine may read this shared secret"
            f" (chmod o= {path} (defaultMode: 0440 for a Kubernetes Secret))"
        )


def test_it_is_the_file_that_counts_and_not_a_link_to_it(tmp_path: Path) -> None:
    """A Kubernetes volume is links, whose own mode is 0777."""
    link = tmp_path / "link"
    link.symlink_to(saved(tmp_path, ONE))
    assert read_shared_secrets(link) == (ONE,)


@pytest.mark.parametrize(
    ("content", "secrets"),
    [
        (ONE, (ONE,)),
        (ONE + b"\n", (ONE,)),
        (ONE + b"\r\n" + OTHER + b"\r\n", (ONE, OTHER)),
        (b"\n  " + ONE + b" \n\n" + OTHER + b"\n\n", (ONE, OTHER)),
        (b"x" * 1024, (b"x" * 1024,)),
    ],
)
def test_a_file_has_one_or_two_secrets_each_on_a_line(
    tmp_path: Path, content: bytes, secrets: tuple[bytes, ...]
) -> None:
    assert read_shared_secrets(saved(tmp_path, content)) == secrets


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has 0 secrets, not one or two"),
        (b"\n\n", "has 0 secrets, not one or two"),
        (b"\n".join([ONE, OTHER, ONE]), "has 3 secrets, not one or two"),
        (ONE + b"\n" + ONE[1:], "line 2 is not 32 to 1024 characters long"),
        (b"x" * 1025, "line 1 is not 32 to 1024 characters long"),
        (ONE[:16] + b" " + ONE[:16], "line 1 is not all visible ASCII characters"),
        ("ü".encode() * 20, "line 1 is not all visible ASCII characters"),
        (ONE + b"\0", "line 1 is not all visible ASCII characters"),
    ],
)
def test_what_could_not_be_sent_or_could_be_guessed_is_refused(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = saved(tmp_path, content)
    with pytest.raises(ConfigError) as refused:
        read_shared_secrets(path)
    [problem] = refused.value.problems
    assert (problem.source, problem.message) == (str(path), said)
    assert "openssl rand -hex 32" in problem.hint


@given(st.binary(max_size=200))
def test_no_refusal_shows_what_the_file_holds(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = saved(tmp_path_factory.mktemp("x"), b"S3CR3T" + content)
    told = ""
    try:
        read_shared_secrets(path)
    except ConfigError as refused:
        told = str(refused)
    assert "S3CR3T" not in told


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    for look in (read_shared_secrets, lambda path: refuse_exposed(path, "private key")):
        with pytest.raises(ConfigError, match=r"gone: cannot be read: No such file"):
            look(tmp_path / "gone")
