"""Ask a runtime for the highest version of each operator that it registers; prints JSON.

    PYTHONPATH=scripts .venv-litert/bin/python tests/runtime/references/make_versions.py ai_edge_litert

The answers of the four runtimes make kit/runtime/versions.json. A runtime refuses a file by name
where it does not know an operator's version, before it looks at shapes.
"""
import json
import os
import sys

import numpy as np

from kit.runtime import flatbuffer
from kit.runtime.runtimes import RUNTIMES, interpreter_class

HIGHEST = 14


def file_with(code, version):
    tensor = {"shape": np.array([1], np.int32), "name": "t"}
    operator = {"inputs": np.array([0], np.int32), "outputs": np.array([1], np.int32)}
    graph = {"tensors": [tensor, tensor], "inputs": np.array([0], np.int32),
             "outputs": np.array([1], np.int32), "operators": [operator]}
    return flatbuffer.write({
        "version": 3, "operator_codes": [{"builtin_code": code, "version": version}],
        "subgraphs": [graph], "buffers": [{}]})


def known(runtime, code, version):
    """Whether the runtime knows it; in a child, which it may end."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(writer, 2)
        try:
            interpreter_class(runtime)(model_content=file_with(code, version)).allocate_tensors()
        except Exception as error:
            os.write(2, str(error).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode("utf-8", "replace")
    os.waitpid(child, 0)
    return "Didn't find op" not in said


def main(package):
    runtime = RUNTIMES[package]
    interpreter_class(runtime)  # imported once
    found = {}
    for code, name in sorted(flatbuffer.BUILTIN.items()):
        versions = [version for version in range(1, HIGHEST + 1) if known(runtime, code, version)]
        if versions:
            found[name] = max(versions)
    print(json.dumps({runtime.name: found}))


if __name__ == "__main__":
    main(sys.argv[1])
