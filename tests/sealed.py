"""`python sealed.py CODE`: run code in a process that ends, with a traceback, at its first attempt to use a network.

Python's own attempts are seen by an audit hook. Those of C++ libraries, resolving a name included, are seen by the kernel: on
Linux a seccomp filter traps every call that connects or sends to an address of IPv4 or IPv6, which it knows by the address's
length. To make a socket alone is allowed: urllib3 does so when it is imported, to see what the machine has. A process that it
starts is sealed as well.
"""

import ctypes
import faulthandler
import os
import platform
import signal
import struct
import subprocess
import sys
from pathlib import Path

#: Numbers of the system calls `connect` and `sendto` and the kernel's name of the machine, by Python's.
_MACHINES = {"x86_64": (42, 44, 0xC000003E), "aarch64": (203, 206, 0xC00000B7)}
#: Bytes of an address of IPv4 and of IPv6; one of a socket file has as many as its path, and two.
_LENGTHS = (16, 28)
#: Where the kernel's record of a call holds the third and the sixth argument, by which the two calls tell the length.
_THIRD, _SIXTH = 32, 56
_WATCHED = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request")
_ALLOW, _TRAP = 0x7FFF0000, 0x00030000
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def seal() -> bool:
    """Seal this process and those that it will start; return whether the kernel watches as well as Python."""
    sys.addaudithook(_refuse)
    faulthandler.enable()
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return False
    faulthandler.register(signal.SIGSYS, all_threads=True, chain=True)
    connect, sendto, machine = _MACHINES[platform.machine()]
    steps = [  # (code, steps to skip where equal, where not, value)
        (_LOAD, 0, 0, 4),
        (_EQUAL, 0, 8, machine),
        (_LOAD, 0, 0, 0),
        (_EQUAL, 0, 2, connect),
        (_LOAD, 0, 0, _THIRD),
        (_EQUAL, 5, 3, _LENGTHS[0]),
        (_EQUAL, 0, 3, sendto),
        (_LOAD, 0, 0, _SIXTH),
        (_EQUAL, 2, 0, _LENGTHS[0]),
        (_EQUAL, 1, 0, _LENGTHS[1]),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _TRAP),
    ]
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    program = _Program(len(steps), code)
    call = ctypes.CDLL(None, use_errno=True).prctl
    return call(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 and call(_SET_SECCOMP, _FILTER, ctypes.byref(program)) == 0


def _refuse(event: str, arguments: tuple) -> None:
    if event in _WATCHED and not (event == "socket.connect" and isinstance(arguments[1], (str, bytes))):
        raise RuntimeError(f"network: {event} {arguments[:3]}")


def run_sealed(code: str, home: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run Python code in a sealed process whose home is `home`; a cache folder of the package beside it is its own.

    Args:
        code: to run.
        home: a folder, in which nothing is made before.
        **environment: further variables.
    """
    found = {name: value for name, value in os.environ.items() if name not in _SERVERS}
    found |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "XDG_CONFIG_HOME": str(home / ".config")}
    found |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment}
    command = [sys.executable, __file__, code]
    return subprocess.run(command, env=found, capture_output=True, text=True, timeout=1500)


#: Libraries collect nothing on a continuous integration server, where these tests would prove nothing.
_SERVERS = (
    *("CI", "TF_BUILD", "GITHUB_ACTIONS", "JENKINS_URL", "BUILD_ID", "GITLAB_CI", "TRAVIS", "CIRCLECI"),
    *("ORT_DISABLE_TELEMETRY", "FER_KERAS_OFFLINE"),
)


def files_in(folder: Path) -> set[str]:
    """Return the files under a folder, by their paths in it."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


if __name__ == "__main__":
    sys.path[:] = [place for place in sys.path if place != str(Path(__file__).parent)]
    print("sealed by the kernel" if seal() else "sealed by Python", flush=True)
    exec(compile(sys.argv[1], "<sealed>", "exec"), {"__name__": "__main__"})
