"""What was measured on."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path


def machine() -> str:
    """Return what is worth knowing of this machine, in a line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = f"{os.cpu_count()} cores of {models[0] if models else platform.machine()}"
    # A distribution's own is built with profile-guided optimisation, which is worth a third.
    whose = " of the system" if sys.base_prefix == "/usr" else ""
    return f"{platform.system()}, {cores}, Python {platform.python_version()}{whose}"
