"""The cache sizes by which Eigen cuts the matrix products of TensorFlow 1.15.

A long sum is cut into blocks that fit the caches, so a CPU with 48 KB of L1 adds it in another
order than one with 32 KB. Eigen asks the CPU once and keeps the answer in a static variable,
`m_cacheSizes`, of which every library has its own; no function that a library exports reaches those
of the kernels. Their addresses stand in the symbol tables of the wheel's libraries.
"""
import ctypes
import importlib.util
import mmap
import os
import struct

import numpy as np

from kit.base.cli import UserError

LIBRARIES = ("libtensorflow_framework.so.1", "python/_pywrap_tensorflow_internal.so",
             "lite/python/interpreter_wrapper/_tensorflow_wrap_interpreter_wrapper.so",
             "lite/python/optimize/_tensorflow_lite_wrap_calibration_wrapper.so")
VARIABLES = tuple(b"N%s8internal20manage_caching_sizesENS_6ActionEPlS2_S2_E12m_cacheSizes" % space
                  for space in (b"5Eigen", b"14EigenForTFLite"))
SYMBOL = np.dtype([("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"),
                   ("value", "<u8"), ("size", "<u8")])  # Elf64_Sym
SECTION = struct.Struct("<IIQQQQIIQQ")  # Elf64_Shdr
SYMTAB, DI_LINKMAP = 2, 2  # of elf.h and dlfcn.h


def set_cache_bytes(sizes):
    """Give every library of TensorFlow these sizes of L1, L2 and L3 instead of the CPU's own."""
    for path in _paths():
        library = ctypes.CDLL(path)
        places = _places(path)
        if not places:
            raise UserError("%s has no symbols, so Eigen's cache sizes cannot be set: run `make setup`"
                            % path)
        base = _base(library)
        for flag, variable in places:
            (ctypes.c_long * 3).from_address(base + variable)[:] = sizes
            ctypes.c_byte.from_address(base + flag).value = 1  # else the first use would ask the CPU


def _paths():
    folder = os.path.dirname(importlib.util.find_spec("tensorflow_core").origin)
    return [os.path.join(folder, name) for name in LIBRARIES]


def _base(library):
    """Where a library was loaded: l_addr, the first member of its link_map."""
    found = ctypes.POINTER(ctypes.c_size_t)()
    ctypes.CDLL("libdl.so.2").dlinfo(ctypes.c_void_p(library._handle), DI_LINKMAP, ctypes.byref(found))
    return found.contents.value


def _places(path):
    """[(offset of "is set", offset of the three sizes)] of each m_cacheSizes in a library."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        symbols, names, size = _symbol_table(data)
        offsets = []
        for variable in VARIABLES:
            pair = [_offset(symbols, data.find(prefix + variable + b"\0", names, names + size) - names)
                    for prefix in (b"_ZGVZ", b"_ZZ")]
            if None not in pair:
                offsets.append(tuple(pair))
        del symbols  # a view of the file
    return offsets


def _symbol_table(data):
    """(array of SYMBOL, where their names begin, bytes of names) of an ELF file."""
    start, = struct.unpack_from("<Q", data, 40)
    count, = struct.unpack_from("<H", data, 60)
    sections = [SECTION.unpack_from(data, start + place * SECTION.size) for place in range(count)]
    table = next((section for section in sections if section[1] == SYMTAB), None)
    if table is None:  # stripped
        return np.empty(0, SYMBOL), 0, 0
    names = sections[table[6]]
    return (np.frombuffer(data, SYMBOL, table[5] // SYMBOL.itemsize, table[4]), names[4], names[5])


def _offset(symbols, name):
    """The value of the symbol whose name begins there; None without one."""
    found = symbols["value"][symbols["name"] == name] if name >= 0 else ()
    return int(found[0]) if len(found) else None
