#!/usr/bin/env python3
"""Make .venv/ hold what a lock file says, and this package: tools/environment.py runtime|dev.

Runs on the standard library alone, as it comes before there is an environment.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv"
OLDEST_PYTHON = (3, 11)


def main(name: str) -> int:
    """Install; return the exit status."""
    if sys.version_info < OLDEST_PYTHON:
        found = ".".join(map(str, sys.version_info[:3]))
        print(f"Python 3.11 or newer is needed, this is {found}: try `make PYTHON=python3.11 …`")
        return 1
    python = FOLDER / "bin" / "python"
    if not python.exists():
        print("Making .venv/ …", flush=True)
        venv.create(FOLDER, with_pip=True)
    print(f"Installing the Python packages of requirements/{name}.txt …", flush=True)
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    for arguments in (
        ["--require-hashes", "-r", "requirements/build.txt"],
        ["--require-hashes", "-r", f"requirements/{name}.txt"],
        # With the build backend from the lock, too: nothing is fetched that has no hash.
        ["--no-deps", "--no-build-isolation", "--editable", "."],
    ):
        status = subprocess.run([*pip, *arguments], cwd=ROOT, check=False).returncode
        if status != 0:
            print("pip could not install the packages: see above.", file=sys.stderr)
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
