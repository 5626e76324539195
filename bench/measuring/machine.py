"""What was measured on."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from pathlib import Path


def machine() -> str:
    """Return what is worth knowing of this machine, in a line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = f"{os.cpu_count()} cores of {models[0] if models else platform.machine()}"
    # Built with profile-guided optimisation or not, which is worth a third. Debian's own says
    # nothing of how it was built, and is.
    built = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    whose = " (optimised)" if built or sys.base_prefix == "/usr" else " (not optimised)"
    return f"{platform.system()}, {cores}, Python {platform.python_version()}{whose}"
