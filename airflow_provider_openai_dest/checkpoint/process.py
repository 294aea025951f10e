"""Process: which one runs a try, so that a later try on the same host can tell that it has ended. On Linux only.

https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
"""

from __future__ import annotations

import os
from pathlib import Path

GONE = ("Z", "X")  # a zombie sends nothing any more


def this_process() -> str:
    """Name this process: the boot, the namespace of process ids, the id and the start; empty where that is not told."""
    try:
        return f"{_host()} {os.getpid()} {_state_and_start(os.getpid())[1]}"
    except (OSError, ValueError, IndexError):
        return ""


def has_surely_ended(process: str) -> bool:
    """Tell whether a process of that name ran here and is there no more; False where that can't be known."""
    try:
        host, pid, start = process.rsplit(" ", 2)
        if host != _host():
            return False
        state, now_there = _state_and_start(int(pid))
    except (FileNotFoundError, ProcessLookupError):
        return Path("/proc/self/stat").exists()
    except (OSError, ValueError, IndexError):
        return False
    return state in GONE or start != now_there


def _host() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()}"


def _state_and_start(pid: int) -> tuple[str, str]:
    """Read fields 3 and 22; the second, the name, may hold blanks and brackets of its own."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return fields[0], fields[19]
