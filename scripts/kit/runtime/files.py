"""The .tflite files of a folder, and what their names say."""
import os

from kit.runtime.forms import FORMS
from kit.runtime.precisions import PRECISIONS

ENDING = ".tflite"
# What is shown first of all detectors: what a device would hold, from the smallest on; else Keras.
HEADLINE = ("step_int8", "step_int16x8", "step_dynamic", "step_float32", "keras")


def tflite_files(folder):
    """{name without ending: path} of a folder, by name; empty when there is none."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return {name[:-len(ENDING)]: os.path.join(folder, name)
            for name in names if name.endswith(ENDING)}


def form_and_precision(name):
    """What a file's name says: step_int8 -> ("step", "int8"); None for what it does not say."""
    words = os.path.splitext(os.path.basename(name))[0].split("_")
    return tuple(next((word for word in words if word in known), None)
                 for known in (FORMS, PRECISIONS))


def headline(names):
    """Which of these detectors is shown first; None when none of HEADLINE is among them."""
    return next((name for name in HEADLINE if name in names), None)
