"""How the model of each precision is made from a frozen graph. One function each.

Each takes the path of the .pb, its signature and the calibration Samples (None where the precision
needs none), and gives a Model dict. The facts of a precision stand in kit.runtime.precisions.
"""
from kit.tflite import toco


def float32(pb_path, signature, calibration):
    return toco.converted(pb_path, signature)


def float16(pb_path, signature, calibration):
    from kit.tflite.float16 import halved

    return halved(toco.converted(pb_path, signature))


def dynamic(pb_path, signature, calibration):
    return toco.converted(pb_path, signature, dynamic=True)


def int8(pb_path, signature, calibration):
    return _quantized("int8", pb_path, signature, calibration)


def int16x8(pb_path, signature, calibration):
    return _quantized("int16x8", pb_path, signature, calibration)


def _quantized(scheme, pb_path, signature, calibration):
    from kit.tflite.int8.quantize import quantized
    from kit.tflite.int8.schemes import SCHEMES

    model = toco.whole_fused_ops(toco.converted(pb_path, signature), signature)
    return quantized(model, signature, calibration, SCHEMES[scheme])


MAKERS = {make.__name__: make for make in (float32, float16, dynamic, int8, int16x8)}
