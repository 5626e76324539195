"""The installer of the real programs: what it promises before it downloads anything."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import install
import pytest
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        ("Linux", "x86_64", "linux-x64"),
        ("Linux", "aarch64", "linux-arm64"),
        ("Darwin", "x86_64", "darwin-x64"),
        ("Darwin", "arm64", "darwin-arm64"),
    ],
)
def test_a_platform_is_spelled_as_the_packages_spell_it(
    system: str, machine: str, expected: str
) -> None:
    assert install.target_platform(system, machine) == expected


def test_an_unknown_platform_is_refused_by_name() -> None:
    with pytest.raises(install.InstallError, match=r"Windows on AMD64.*WSL"):
        install.target_platform("Windows", "AMD64")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("go1.26.8", (1, 26, 8)),
        ("1.24rc1", (1, 24)),
        ("v0.40.9", (0, 40, 9)),
        ("11.19.1\n", (11, 19, 1)),
        ("", ()),
        ("devel go1.27", ()),
    ],
)
def test_versions_compare_as_numbers(text: str, expected: tuple[int, ...]) -> None:
    assert install.version_tuple(text) == expected


@given(st.lists(st.integers(0, 999), min_size=1, max_size=4))
def test_any_dotted_version_reads_back(numbers: list[int]) -> None:
    text = ".".join(map(str, numbers))
    assert install.version_tuple(f"go{text}") == install.version_tuple(text) == tuple(numbers)


def test_go_mod_says_the_version_and_the_oldest_go() -> None:
    go_mod = (
        "module tools/x\n\ngo 1.24\n\nrequire (\n"
        "\ta.test/x/y v0.1.0 // indirect\n\ta.test/x v1.2.3 // indirect\n)\n"
    )
    assert install.pinned_version(go_mod, "a.test/x") == "1.2.3"
    assert install.oldest_go(go_mod) == (1, 24)
    with pytest.raises(install.InstallError, match=r"requires no a\.test/z"):
        install.pinned_version(go_mod, "a.test/z")


@pytest.mark.parametrize("tool", install.ALL_TOOLS, ids=lambda tool: tool.name)
def test_every_program_has_one_pinned_version(tool: install.NpmTool | install.GoTool) -> None:
    assert len(install.version_tuple(tool.version())) == 3
    assert all(pin.is_file() for pin in tool.pins())


def test_no_lock_file_names_a_registry() -> None:
    assert "resolved" not in (install.TOOLS / "npm" / "package-lock.json").read_text()


@given(st.lists(st.binary(max_size=8), max_size=3), st.lists(st.binary(max_size=8), max_size=3))
def test_other_pins_are_another_cache_entry(one: list[bytes], other: list[bytes]) -> None:
    entries = [install.cache_entry("x", "1", pins, "linux-x64") for pins in (one, other)]
    assert (entries[0] == entries[1]) == (one == other)


def test_the_cache_is_where_the_user_says() -> None:
    home = Path("/home/somebody")
    of_project = Path("oathkeeper-cerbos-authorizer/tools")
    assert install.cache_folder({}, home) == home / ".cache" / of_project
    assert install.cache_folder({"XDG_CACHE_HOME": "/c"}, home) == "/c" / of_project
    assert install.cache_folder({"AUTHORIZER_TOOLS_CACHE": "/t"}, home) == Path("/t")


def test_names_choose_and_an_unknown_one_is_refused_with_those_there_are() -> None:
    assert [tool.name for tool in install.select(["kratos", "cerbos"])] == ["cerbos", "kratos"]
    known = ", ".join(sorted(tool.name for tool in install.ALL_TOOLS))
    with pytest.raises(install.InstallError, match=f"'keto'.*{known}"):
        install.select(["keto"])


def test_what_only_the_benchmarks_need_is_installed_only_when_it_is_named() -> None:
    named = {tool.name for tool in install.ALL_TOOLS}
    assert {tool.name for tool in install.select([])} == named - {"vegeta"}
    assert [tool.name for tool in install.select(["vegeta"])] == ["vegeta"]


class Workshop:
    """A PATH with stand-ins for npm and Go, a cache, and a .tools/bin/."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = folder / "path"
        self.cache = folder / "cache"
        self.bin = folder / "bin"
        self.calls = folder / "calls"
        self.path.mkdir()
        self.calls.touch()
        # What the stand-ins are written with.
        for name in ("sh", "mkdir"):
            (self.path / name).symlink_to(_which(name))
        monkeypatch.setenv("PATH", str(self.path))
        monkeypatch.setattr(install, "BIN", self.bin)

    def add(self, name: str, script: str) -> None:
        program = self.path / name
        program.write_text(f'#!/bin/sh\necho "{name} $1 $2 $3" >> {self.calls}\n{script}')
        program.chmod(0o755)

    def add_go(self, version: str = "go1.26.0") -> None:
        self.add(
            "go",
            f"case $1 in env) echo {version}; echo sh;; "
            'build) while [ "$1" != -o ]; do shift; done; echo built > "$2";; esac\n',
        )

    def add_npm(self, version: str = "11.0.0") -> None:
        self.add(
            "npm",
            f"case $1 in --version) echo {version}; exit;; esac\n"
            "for name in cerbos cerbosctl; do for target in linux-x64 darwin-arm64; do\n"
            "  folder=node_modules/@cerbos/$name-$target\n"
            "  mkdir -p $folder; echo downloaded > $folder/$name-$target\n"
            "done; done\n",
        )

    def install(self, *names: str, target: str = "linux-x64") -> None:
        install.install(install.select(names), target=target, cache=self.cache)

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines()


def _which(name: str) -> str:
    found = shutil.which(name)
    assert found is not None
    return found


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    return Workshop(tmp_path, monkeypatch)


def test_cerbos_needs_no_go(workshop: Workshop) -> None:
    workshop.add_npm()
    workshop.install("cerbos", "cerbosctl")
    assert (workshop.bin / "cerbos").read_text() == "downloaded\n"
    assert os.access(workshop.bin / "cerbosctl", os.X_OK)


def test_the_go_programs_need_no_npm(workshop: Workshop) -> None:
    workshop.add_go()
    workshop.install("oathkeeper", "kratos")
    assert (workshop.bin / "kratos").read_text() == "built\n"
    assert os.access(workshop.bin / "oathkeeper", os.X_OK)


def test_nothing_is_made_again_that_is_there(workshop: Workshop) -> None:
    workshop.add_go()
    workshop.add_npm()
    workshop.install()
    before = workshop.called()
    (workshop.bin / "cerbos").unlink()
    workshop.install()
    assert (workshop.bin / "cerbos").exists()
    assert workshop.called() == before


def test_a_failed_build_leaves_nothing_that_passes_for_a_program(workshop: Workshop) -> None:
    workshop.add_go()
    workshop.add(
        "go", 'case $1 in env) echo go1.26.0; echo sh;; *) echo "disk full"; exit 1;; esac'
    )
    with pytest.raises(install.InstallError, match=r"(?s)building oathkeeper.*disk full"):
        workshop.install("oathkeeper")
    assert not (workshop.bin / "oathkeeper").exists()
    assert list(workshop.cache.iterdir()) == []
    workshop.add_go()
    workshop.install("oathkeeper")
    assert (workshop.bin / "oathkeeper").exists()


def test_a_platform_without_hashes_gets_the_exact_version(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    workshop.add_npm()
    workshop.install("cerbos", target="darwin-arm64")
    assert (workshop.bin / "cerbos").read_text() == "downloaded\n"
    assert "pinned by version alone" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "prepare", "message"),
    [
        ("cerbos", lambda _: None, "npm is not on PATH: install Node.js"),
        ("cerbos", lambda shop: shop.add_npm("6.14.0"), "npm 6.14.0 is too old: install npm 7"),
        ("kratos", lambda _: None, r"go is not on PATH: install Go 1\.24 or newer.*`make run`"),
        (
            "oathkeeper",
            lambda shop: shop.add_go("go1.23.4"),
            r"too old \(go1\.23\.4\): install Go 1\.24",
        ),
        (
            "kratos",
            lambda shop: shop.add("go", "echo go1.26.0; echo no-such-cc"),
            r"no C compiler \(no-such-cc\)",
        ),
        (
            "kratos",
            lambda shop: shop.add("go", "echo 'go.mod requires go >= 1.24' >&2; exit 1"),
            r"too old \(go.mod requires go >= 1\.24\)",
        ),
    ],
)
def test_what_is_missing_is_said_with_what_to_do(
    workshop: Workshop, name: str, prepare: Callable[[Workshop], None], message: str
) -> None:
    prepare(workshop)
    with pytest.raises(install.InstallError, match=message):
        workshop.install(name)
