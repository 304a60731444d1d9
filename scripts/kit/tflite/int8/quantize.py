"""A float .tflite in integers throughout, calibrated on real data.

Inputs, outputs, states, weights and everything between are int8, biases int32: the scheme of
Jacob et al. 2018 (arXiv 1712.05877), symmetric weights, one scale per tensor, as 1.15's kernels
want it. 1.15's own quantizer is not used: it knows no SPLIT, takes minimum and maximum as ranges,
rounds weights to nearest, merges equal biases of different scale (newer runtimes then compute
something else without a word), and gives a zero state a denormal scale. What is done here instead:

states    each state has the same scale as input and as output: a device hands the bytes on.
window    every step of an unrolled window has the scales of the step form (`ties`), so all steps
          share weights and biases soundly.
x and h   enter one product side by side, which asks for one scale. The sample is multiplied by a
          constant beforehand that brings it to the range of h (`balance`); its int8 values stay
          what they are, and the weights are divided by the constant.
ranges    of inputs and outputs: all that calibration saw. Inside: the range with the least mean
          square error after the nonlinearity that reads the tensor (`scales`). A cell state of 4
          has the same tanh as one of 3, and the finer steps halve the error of the whole model.
cells     each unit of an LSTM's cell state is multiplied by a constant, at most 2, that brings its
          range to the widest unit's; the candidate's constants take it up, one operator before the
          tanh undoes it (`equalise`). A range of 2 is kept where calibration saw so much, though
          less would do on normal data (1.3 and 1.4 % both): states of faults are rare there.
fused     an LSTM that is one operator has a cell state of 16 bits, and needs none of balance,
          equalise and shared scales: 0.85 % (`fused`).
fallback  what has no integer kernel is computed in float, with all that is computed of the same
          tensor (`fallback`).
weights   rounded one input column after the other, each rounding error carried over to the columns
          not yet rounded by their correlation on the calibration data (`rounding`); biases take up
          the mean of what is left (`emit`).

What each is worth: left out alone, the mean error of the default model's step and window files
(1.39 and 1.33 % of the output's standard deviation) grows by the factor

                                  step   window
    balance                       1.30   1.27
    ranges by least error         1.61   2.12    minimum and maximum instead
    addends no wider than sums    1.25   1.28
    one scale for all steps              1.58    and a file of 2.5 times the bytes
    equalise                      1.03   1.06    on normal data: it keeps rare states, too
    factors of the units          1.20   1.17    equalise with 1 for each unit
    rounding by correlation       1.08   1.14

Rounding the input alone to int8 costs 0.3 %, the output alone 0.7 %, a cell state of 8 bits most of
the rest: without its rounding 1.0 % would remain. Tried and left out: the cell state in two tensors,
coarse and fine, the rounding error of one fed back by the other, 1.3 % as well for three more
operators a step; weights refitted on int8 states, 0.05 % less at the output, more in the recurrence.
"""
from kit.base.cli import UserError
from kit.runtime import flatbuffer
from kit.tflite.int8 import fallback, fused
from kit.tflite.int8.balance import balance
from kit.tflite.int8.calibrate import observe
from kit.tflite.int8.emit import emit
from kit.tflite.int8.equalise import equalise, exact_candidates
from kit.tflite.int8.graph import CONVOLUTIONS, MOVES, Graph
from kit.tflite.int8.masks import Masks
from kit.tflite.int8.normalise import norm_vectors
from kit.tflite.int8.padding import join_zeros
from kit.tflite.int8.relus import fuse_relus
from kit.tflite.int8.scales import choose_scales

# Operators whose output's scale is chosen.
FREE = ("FULLY_CONNECTED", "ADD", "SUB", "MUL", "CONCATENATION", "GATHER", fused.OPERATOR) + CONVOLUTIONS
FUSED_TANH = 4  # the number of the activation


def quantized(model, signature, samples, scheme):
    """The integer Model dict of a float one; UserError names a fused LSTM that has no such kernel.

    scheme : of kit.tflite.int8.schemes
    """
    graph = Graph(flatbuffer.merge_constants(model))
    fuse_relus(graph)
    join_zeros(graph)
    if "L2_NORMALIZATION" in scheme.fixed:
        norm_vectors(graph)
    refuse_fused(graph, scheme)
    observed = observe(graph, signature, samples)
    balance(graph, observed, signature, scheme)
    fixed = equalise(graph, observed, signature, scheme) if scheme.fine else exact_candidates(
        graph, signature, scheme)
    observed, masks = observe(graph, signature, samples), Masks(graph)
    masks.show(observed)
    floats = fallback.float_places(graph, observed, FREE + tuple(MOVES) + tuple(scheme.fixed))
    for place in fallback.inside(graph, floats) & set(observed):
        del observed[place]
    fixed.update(dict.fromkeys(masks.places, scheme.mask))
    fixed.update(fused.output_scales(graph, observed))
    scales = choose_scales(graph, observed, signature, scheme, fixed)
    return emit(graph, observed, scales, scheme, masks.settle(scales, scheme), floats)


def refuse_fused(graph, scheme):
    """UserError where a fused LSTM has no kernel of the scheme."""
    for operator in graph.operators:
        if graph.op_name(operator) == fused.OPERATOR:
            refuse_lstm(graph, operator, scheme)


def refuse_lstm(graph, operator, scheme):
    name = graph.tensors[operator["outputs"][0]]["name"]
    if scheme.name != "int8":
        raise UserError("no %s fused form: LiteRT and tflite-runtime have no such kernel of %s; use "
                        "the loop form, which is as exact" % (scheme.name, fused.OPERATOR))
    if operator["options"].get("activation") != FUSED_TANH:
        raise UserError("no %s fused form: '%s' has another activation than tanh, and the kernel of "
                        "LiteRT and tflite-runtime computes tanh whatever the file says; use the "
                        "loop form" % (scheme.name, name))
