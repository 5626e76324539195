"""Fuzz one target by coverage: `python -m fuzz TARGET [CORPUS]... [-libfuzzer_option=value]...`.

Needs atheris, which `make setup` does not install; CONTRIBUTING.md says how to run it.
"""

from __future__ import annotations

import shlex
import sys

import atheris

with atheris.instrument_imports(include=["authorizer"]):
    from fuzz.targets import TARGETS

if __name__ == "__main__":
    name, *arguments = sys.argv[1:] or [""]
    if name not in TARGETS:
        sys.exit(f"usage: python -m fuzz {{{','.join(TARGETS)}}} [CORPUS]... [-OPTION=VALUE]...")
    atheris.enabled_hooks.add("RegEx")
    atheris.enabled_hooks.add("str")
    # libFuzzer gives its first argument to a shell where it starts itself again, as -merge does.
    atheris.Setup([f"{shlex.quote(sys.executable)} -m fuzz {name}", *arguments], TARGETS[name])
    atheris.Fuzz()
