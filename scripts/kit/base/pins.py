"""Whether scripts/run started this interpreter: its pins cannot be set any later."""
import os
import sys

SENTINELS = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2", "OPENBLAS_CORETYPE": "Nehalem",
             "EIGEN_CACHE_BYTES": "32768,", "PYTHONHASHSEED": "0"}
_said = []


def pinned(environment):
    """Whether an environment holds what scripts/run sets."""
    return all(environment.get(name, "").startswith(value) for name, value in SENTINELS.items())


def say_unless_pinned():
    """One line on stderr, once, when the bytes written may be this machine's alone."""
    if not pinned(os.environ) and not _said:
        script = os.path.basename(sys.argv[0]).rsplit(".", 1)[0] or "NAME"
        _said.append(script)
        print("note: started without the pins, so the bytes may be this machine's alone; "
              "`sh scripts/run %s ...` sets them" % script, file=sys.stderr)
