"""Compilers for microcontrollers and the emulated boards that run what they make.

Debian: gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm, and for RISC-V
gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-misc.
"""
import os
import re
import shutil
import subprocess
from typing import NamedTuple

import numpy as np

from kit.base.cli import UserError, write_text
from kit.firmware import pieces

TIMEOUT_S = 600


class Core(NamedTuple):
    """A core, how to compile for it, and a board of QEMU's that has it."""

    name: str
    compiler: str  # prefix of gcc, size, ...
    flags: list
    emulator: list
    flash: int  # addresses
    ram: int


ARM, RISCV = "arm-none-eabi-", "riscv64-unknown-elf-"


def _arm(name, cpu, floats, board, flash=0, ram=0x20000000):
    return Core(name, ARM, ["-mcpu=" + cpu, "-mthumb"] + floats, ["qemu-system-arm", "-M", board],
                flash, ram)


HARD = ["-mfloat-abi=hard"]
CORES = [
    _arm("Cortex-M0", "cortex-m0", [], "mps2-an385"),
    _arm("Cortex-M3", "cortex-m3", [], "mps2-an385"),
    _arm("Cortex-M4F", "cortex-m4", HARD + ["-mfpu=fpv4-sp-d16"], "mps2-an386"),
    _arm("Cortex-M7", "cortex-m7", HARD + ["-mfpu=fpv5-d16"], "mps2-an500"),
    _arm("Cortex-M33", "cortex-m33", HARD + ["-mfpu=fpv5-sp-d16"], "mps2-an505", 0x10000000,
         0x38000000),
    _arm("Cortex-M55", "cortex-m55", HARD + ["-mfpu=auto"], "mps3-an547"),
    Core("RV32IMAC", RISCV, ["-misa-spec=2.2", "-march=rv32imac", "-mabi=ilp32",
                                  "--specs=picolibc.specs"],
         ["qemu-system-riscv32", "-M", "virt", "-bios", "none"], 0x80000000, 0x80100000),
]


def lacking(core):
    """What is not installed for a core, as a sentence; None when all is there."""
    tools = [tool for tool in (core.compiler + "gcc", core.emulator[0]) if not shutil.which(tool)]
    return "%s needs %s, which is not installed" % (core.name, " and ".join(tools)) if tools else None


def prepare(folder, sources, name):
    """Write the detector's sources and what runs them on a board to a folder."""
    for path, text in sources.items():
        write_text(os.path.join(folder, path), text)
    for path in ("replay.c", "measure.c", "count.h", "least.c", "host.c", "host.h", "board.c",
                 "board.ld"):
        write_text(os.path.join(folder, path), pieces.named(pieces.text(path), name))


def compile_for(core, folder, sources, program, libraries=()):
    """Compile C files of a folder to a program for a core's board; the compiler's words."""
    command = [core.compiler + "gcc"] + core.flags + [
        "-std=c99", "-O2", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections",
        "-nostartfiles", "-Wl,--defsym=FLASH=0x%x" % core.flash, "-Wl,--defsym=RAM=0x%x" % core.ram,
        "-T", "board.ld"] + list(sources) + ["board.c", "-o", program] + list(libraries)
    if core.compiler == ARM:
        command.insert(1, "--specs=nosys.specs")
    return tool(command, folder)


def emulate(core, folder, program, counting=False):
    """Run a program on the core's board in a folder; UserError unless it ends with 0."""
    tool(core.emulator + ["-nographic", "-monitor", "none", "-serial", "none"]
         + ["-icount", "shift=0"] * counting
         + ["-semihosting-config", "enable=on,target=native", "-kernel", program], folder)


def replay(core, folder, samples, states):
    """Rows through a detector on a board: (scores, alarms, forecasts, bytes of the states).

    samples : (n, C) float32 in the channels' units; states : bytes
    """
    return replayed(lambda: emulate(core, folder, core.name + ".elf"), folder, samples, states)


def replayed(run, folder, samples, states):
    """Write samples.bin, run replay.c's program, and read results.bin."""
    samples = np.ascontiguousarray(samples, "<f4")
    samples.tofile(os.path.join(folder, "samples.bin"))
    run()
    row = np.dtype([("score", "<f8"), ("alarm", "u1"), ("forecast", "<f4", samples.shape[1:]),
                    ("states", "u1", (states,))])
    found = np.fromfile(os.path.join(folder, "results.bin"), row)
    return found["score"], found["alarm"] > 0, found["forecast"], found["states"]


def measure(core, folder):
    """(instructions of the network, of all, bytes of stack) per sample, by measure.elf."""
    emulate(core, folder, "measure.elf", counting=True)
    return np.fromfile(os.path.join(folder, "results.bin"), "<f8")


def flash_and_ram(core, folder, sources, options=()):
    """Bytes of code with constants, and of data, of compiled C files, without libraries."""
    total = np.zeros(3, int)
    for source in sources:
        target = source[:-2] + ".o"
        tool([core.compiler + "gcc"] + core.flags + ["-std=c99", "-O2", "-c", source, "-o", target]
             + list(options), folder)
        line = tool([core.compiler + "size", target], folder).splitlines()[1]
        total += [int(word) for word in line.split()[:3]]
    return int(total[0] + total[1]), int(total[1] + total[2])


def linked_flash(core, folder, program):
    """Bytes of flash of a linked program."""
    line = tool([core.compiler + "size", program], folder).splitlines()[1]
    return sum(int(word) for word in line.split()[:2])


def state_size(core, folder):
    """Bytes of the struct of state: the data of least.c without its sensor and its alarm."""
    lines = tool([core.compiler + "nm", "-S", "least.elf"], folder).splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.split()[-1] == "state")


def tool(command, folder):
    """Run a command in a folder; its output. UserError with its first line where it fails."""
    done = subprocess.run(command, cwd=str(folder), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          stderr=subprocess.STDOUT, universal_newlines=True, timeout=TIMEOUT_S)
    if done.returncode:
        raise UserError("%s ended with %d: %s" % (" ".join(command)[:400], done.returncode,
                                                  done.stdout.strip()[:400]))
    return done.stdout


def version(compiler):
    """First line of a compiler's --version."""
    return re.sub(r"\s+", " ", tool([compiler, "--version"], ".").splitlines()[0])
