#!/usr/bin/env python3
"""Install the real programs, pinned, into .tools/bin/: tools/install.py [NAME...].

Cerbos and cerbosctl come from npm (tools/npm), the Ory programs are built as Go tools, from a
module each (tools/NAME), because their dependencies contradict each other. Asking for one kind
needs nothing of the other.

A program is kept in the user's cache, by name, version, the hash of what pins it and platform,
and linked into .tools/bin/: a fresh clone builds nothing again. $AUTHORIZER_TOOLS_CACHE moves it.

Runs on the standard library alone, as it comes before there is an environment.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

TOOLS = Path(__file__).resolve().parent
BIN = TOOLS.parent / ".tools" / "bin"
CACHE_VARIABLE = "AUTHORIZER_TOOLS_CACHE"

# npm 7 is the first that reads our lock file's format.
OLDEST_NPM = (7,)


class InstallError(Exception):
    """A program cannot be installed; the message says what to do."""


@dataclass(frozen=True)
class NpmTool:
    """A program that an npm package holds as a ready binary, a package for each platform."""

    name: str

    def package(self, target: str) -> str:
        """Return the package for a platform such as `linux-x64`."""
        return f"@cerbos/{self.name}-{target}"

    def version(self) -> str:
        """Return the pinned version."""
        dependencies = json.loads((TOOLS / "npm" / "package.json").read_text())["dependencies"]
        # Every platform's package has the version of the one that is written down.
        return str(dependencies[self.package("linux-x64")])

    def pins(self) -> list[Path]:
        """Return the files that decide which bytes are installed."""
        return [TOOLS / "npm" / "package.json", TOOLS / "npm" / "package-lock.json"]


@dataclass(frozen=True)
class GoTool:
    """A program that is built from a Go module.

    `version_variable` is the Go variable that the program prints as its version. `tags` are build
    tags. `cgo` says that it needs a C compiler. `program` is its path in the module. One that is
    not `wanted` is installed only when it is asked for by name.
    """

    name: str
    module: str
    version_variable: str
    tags: str = ""
    cgo: bool = False
    program: str = ""
    wanted: bool = True

    @property
    def folder(self) -> Path:
        """The tool module: go.mod and go.sum."""
        return TOOLS / self.name

    def version(self) -> str:
        """Return the pinned version, as in go.mod but without the `v`."""
        return pinned_version((self.folder / "go.mod").read_text(), self.module)

    def pins(self) -> list[Path]:
        """Return the files that decide what is built."""
        return [self.folder / "go.mod", self.folder / "go.sum"]

    def build_command(self, output: Path) -> list[str]:
        """Return the command that builds the program into `output`."""
        flags = f"-s -w -X {self.version_variable}=v{self.version()}"
        tags = ["-tags", self.tags] if self.tags else []
        package = self.module + self.program
        return ["go", "build", "-v", "-ldflags", flags, *tags, "-o", str(output), package]


NPM_TOOLS = (NpmTool("cerbos"), NpmTool("cerbosctl"))
GO_TOOLS = (
    GoTool(
        "oathkeeper",
        "github.com/ory/oathkeeper",
        version_variable="github.com/ory/oathkeeper/x.Version",
    ),
    GoTool(
        "kratos",
        "github.com/ory/kratos",
        version_variable="github.com/ory/kratos/driver/config.Version",
        tags="sqlite,json1",
        cgo=True,
    ),
    GoTool(
        "hydra",
        "github.com/ory/hydra/v2",
        version_variable="github.com/ory/hydra/v2/driver/config.Version",
        tags="sqlite,json1",
        cgo=True,
    ),
    # For the tests: a TCP proxy that is slow, resets connections or swallows what is sent.
    GoTool(
        "toxiproxy",
        "github.com/Shopify/toxiproxy/v2",
        version_variable="github.com/Shopify/toxiproxy/v2.Version",
        program="/cmd/server",
    ),
    # For `make bench`: sends requests at a rate, however long the answers take.
    GoTool(
        "vegeta",
        "github.com/tsenart/vegeta/v12",
        version_variable="main.Version",
        wanted=False,
    ),
)
ALL_TOOLS: tuple[NpmTool | GoTool, ...] = (*NPM_TOOLS, *GO_TOOLS)


def target_platform(system: str, machine: str) -> str:
    """Return the platform as the npm packages spell it; raise InstallError for an unknown one."""
    systems = {"linux": "linux", "darwin": "darwin"}
    machines = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
    try:
        return f"{systems[system.lower()]}-{machines[machine.lower()]}"
    except KeyError:
        message = (
            f"no pinned programs for {system} on {machine}: there are some for Linux and macOS, "
            "on x86-64 and arm64 (on Windows, use WSL)"
        )
        raise InstallError(message) from None


def pinned_version(go_mod: str, module: str) -> str:
    """Return the version of `module` that the text of a go.mod requires, without its `v`."""
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(module)} v(\S+)", go_mod, re.MULTILINE)
    if found is None:
        message = f"go.mod requires no {module}: restore it from the repository"
        raise InstallError(message)
    return found[1]


def oldest_go(go_mod: str) -> tuple[int, ...]:
    """Return the oldest Go that a go.mod allows: `go 1.24` is (1, 24)."""
    found = re.search(r"^go (\S+)", go_mod, re.MULTILINE)
    return version_tuple(found[1]) if found else ()


def version_tuple(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: `go1.26.8` is (1, 26, 8), `1.24rc1` is (1, 24)."""
    found = re.match(r"(?:go|v)?(\d+(?:\.\d+)*)", text.strip())
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def cache_entry(name: str, version: str, pins: Iterable[bytes], target: str) -> str:
    """Return the name of the cache folder of a program: another pin, another folder."""
    digest = hashlib.sha256()
    for content in pins:
        digest.update(hashlib.sha256(content).digest())
    return f"{name}-{version}-{digest.hexdigest()[:12]}-{target}"


def cache_folder(environment: Mapping[str, str], home: Path) -> Path:
    """Return where built programs are kept."""
    if chosen := environment.get(CACHE_VARIABLE):
        return Path(chosen).expanduser().absolute()
    base = environment.get("XDG_CACHE_HOME")
    return (Path(base) if base else home / ".cache") / "oathkeeper-cerbos-authorizer" / "tools"


def select(names: Sequence[str]) -> list[NpmTool | GoTool]:
    """Return the tools of these names, in our own order; no name means all that are wanted."""
    known = {tool.name for tool in ALL_TOOLS}
    if unknown := [name for name in names if name not in known]:
        message = f"unknown program {unknown[0]!r}: there are {', '.join(sorted(known))}"
        raise InstallError(message)
    if names:
        return [tool for tool in ALL_TOOLS if tool.name in names]
    return [tool for tool in ALL_TOOLS if isinstance(tool, NpmTool) or tool.wanted]


def link(program: Path, folder: Path) -> None:
    """Make `folder/NAME` a link to `program`, in one step, whatever was there before."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{program.name}.{os.getpid()}"
    aside.symlink_to(program)
    aside.replace(folder / program.name)


@contextlib.contextmanager
def written_aside(program: Path) -> Iterator[Path]:
    """Give a path to write `program` to; it appears under its own name only when it is whole."""
    program.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=program.parent.parent) as folder:
        aside = Path(folder) / program.name
        yield aside
        aside.chmod(0o755)
        program.parent.mkdir(exist_ok=True)
        aside.replace(program)


def run(command: Sequence[str], *, folder: Path, environment: Mapping[str, str], what: str) -> None:
    """Run a command that may take minutes, saying every few seconds that it is alive.

    Raises InstallError with the end of its output when it fails.
    """
    started = time.monotonic()
    beat = 5 if sys.stdout.isatty() else 20
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=beat)
                    break
                say(f"{what}: {time.monotonic() - started:.0f} s, {last_line(output.fileno())}")
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        if process.returncode != 0:
            output.seek(0)
            tail = "".join(f"  | {line}" for line in output.readlines()[-20:])
            message = f"{what} failed: {' '.join(command)}\n{tail}"
            raise InstallError(message)


def last_line(descriptor: int) -> str:
    """Return the last whole line of a file that another process is writing."""
    size = os.fstat(descriptor).st_size
    lines = os.pread(descriptor, 4096, max(0, size - 4096)).decode(errors="replace").split("\n")
    return lines[-2] if len(lines) > 1 else "no output yet"


def install_from_npm(wanted: Mapping[NpmTool, Path], target: str) -> None:
    """Download ready programs; `wanted` maps each tool to where it goes."""
    names = " and ".join(tool.name for tool in wanted)
    require_npm(names)
    pinned = json.loads((TOOLS / "npm" / "package-lock.json").read_text())["packages"]
    packages = {tool: tool.package(target) for tool in wanted}
    command = ["npm", "--no-audit", "--no-fund", "--ignore-scripts"]
    if all(f"node_modules/{package}" in pinned for package in packages.values()):
        command.append("ci")
    else:
        say(f"{target} is pinned by version alone: package-lock.json holds no hash for it")
        wanted_versions = [f"{package}@{tool.version()}" for tool, package in packages.items()]
        command += ["install", "--no-save", "--no-package-lock", *wanted_versions]
    with tempfile.TemporaryDirectory(prefix="npm-") as folder:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(TOOLS / "npm" / name, folder)
        if command[-1] != "ci":
            # What is named on the command line is all there is to install: the packages that
            # package.json lists are another platform's.
            (Path(folder) / "package.json").write_text('{"private": true}')
            (Path(folder) / "package-lock.json").unlink()
        what = f"downloading {names} from npm"
        say(f"{what}: about 150 MB unpacked, seconds to a minute")
        run(command, folder=Path(folder), environment=os.environ, what=what)
        for tool, program in wanted.items():
            package = Path(folder) / "node_modules" / packages[tool]
            with written_aside(program) as aside:
                shutil.copyfile(package / f"{tool.name}-{target}", aside)


def require_npm(names: str) -> None:
    """Raise InstallError unless there is an npm that can read our lock file."""
    if shutil.which("npm") is None:
        message = f"{names}: npm is not on PATH: install Node.js (which brings npm) and try again"
        raise InstallError(message)
    found = subprocess.run(["npm", "--version"], capture_output=True, text=True, check=False)  # noqa: S607 - the user's own npm
    if version_tuple(found.stdout) < OLDEST_NPM:
        message = f"{names}: npm {found.stdout.strip()} is too old: install npm 7 or newer"
        raise InstallError(message)


def install_with_go(tool: GoTool, program: Path) -> None:
    """Build one program."""
    # A go.work above us would replace the tool module's own versions.
    environment = {**os.environ, "GOWORK": "off"}
    if tool.cgo:
        environment["CGO_ENABLED"] = "1"
    go = require_go(tool, environment)
    what = f"building {tool.name} {tool.version()} with {go}"
    say(f"{what}: a minute or three the first time, as all of its dependencies are compiled")
    with written_aside(program) as aside:
        run(tool.build_command(aside), folder=tool.folder, environment=environment, what=what)


def require_go(tool: GoTool, environment: Mapping[str, str]) -> str:
    """Return the version of Go that will build `tool`; raise InstallError if none can."""
    oldest = oldest_go((tool.folder / "go.mod").read_text())
    need = f"Go {'.'.join(map(str, oldest))} or newer"
    aside = "(`make run` needs no Go: it needs cerbos alone)"
    if shutil.which("go", path=environment.get("PATH")) is None:
        message = f"{tool.name}: go is not on PATH: install {need} and try again {aside}"
        raise InstallError(message)
    # Asked in the tool's own folder: there Go may choose to fetch a newer toolchain by itself.
    asked = subprocess.run(
        ["go", "env", "GOVERSION", "CC"],  # noqa: S607 - the user's own Go
        cwd=tool.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    version, compiler = [*asked.stdout.splitlines(), "", ""][:2]
    if asked.returncode != 0 or version_tuple(version) < oldest:
        said = asked.stderr.strip() or version
        message = f"{tool.name}: this Go is too old ({said}): install {need} {aside}"
        raise InstallError(message)
    if tool.cgo and shutil.which(compiler.split(" ")[0], path=environment.get("PATH")) is None:
        message = (
            f"{tool.name}: no C compiler ({compiler or 'cc'}), which its SQLite needs: "
            f"install gcc or clang, or name one in CC {aside}"
        )
        raise InstallError(message)
    return version


def say(text: str) -> None:
    """Tell the user."""
    print(f"tools: {text}", flush=True)


def install(tools: Sequence[NpmTool | GoTool], *, target: str, cache: Path) -> None:
    """Put each of `tools` into .tools/bin/, from the cache where it is there."""
    programs = {
        tool: cache
        / cache_entry(tool.name, tool.version(), (pin.read_bytes() for pin in tool.pins()), target)
        / tool.name
        for tool in tools
    }
    missing = {tool: program for tool, program in programs.items() if not program.exists()}
    if from_npm := {t: p for t, p in missing.items() if isinstance(t, NpmTool)}:
        install_from_npm(from_npm, target)
    for tool, program in missing.items():
        if isinstance(tool, GoTool):
            install_with_go(tool, program)
    for tool, program in programs.items():
        link(program, BIN)
        say(f"{tool.name} {tool.version()} {'installed' if tool in missing else 'is there'}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="tools/install.py", description=__doc__.splitlines()[0])
    which = "which programs (default: all that the tests and the demo need)"
    parser.add_argument("names", nargs="*", metavar="NAME", help=which)
    names = parser.parse_args(arguments).names
    try:
        target = target_platform(platform.system(), platform.machine())
        install(select(names), target=target, cache=cache_folder(os.environ, Path.home()))
    except InstallError as error:
        print(f"tools: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
