"""What a step model gives along whole sessions; as a program, in any Python with numpy and a runtime.

    python -m kit.runtime.streamed step_int8.tflite samples.npy bounds.npy outputs.npy
"""
import numpy as np

from kit.base.cli import run
from kit.runtime.interpreter import Model


def streamed(model, samples, bounds):
    """Outputs (n, ...) after each of samples (n, C); the state is zero where a session begins.

    bounds : half-open row ranges of the sessions
    """
    found = []
    for start, stop in bounds:
        model.reset()
        found.append(model.stream(samples[start:stop]))
    return np.concatenate(found)


def main(argv):
    path, samples, bounds, output = argv
    model = Model(path)
    np.save(output, streamed(model, np.load(samples), np.load(bounds).tolist()))
    print(model.runtime)


if __name__ == "__main__":
    run(main)
