"""detector.c and detector.h: the network of a step file and the scorer, as one C99 source."""
import re

import numpy as np

from kit.base.cli import UserError
from kit.firmware import network, pieces
from kit.detection.scores import LADDERS, LEAST_DISTANCE, LIGHT, MOST
from kit.record.windows import INPUT_LIMIT

FARTHEST = 1e6  # standard deviations: what is farther counts as that far
TYPES = {"float32": "float", "int8": "int8_t", "int16": "int16_t"}
LIBRARIES = {"float32": ["float32.c"], "int8": ["rounding.c", "integer.c", "pairs.c", "int8.c"],
             "int16": ["integer.c", "pairs.c", "int16.c"]}
IS_NUMBER = " && s->forecast[c] == s->forecast[c]"  # a float network may lose itself to NaN

HEAD = """/* %s
 *
 * C99 and C++; no heap, no stdio, no global state. Integers are shifted right with their sign, as
 * every compiler for such cores does. Floating-point numbers are IEEE 754's, each operation
 * rounded on its own: without -ffast-math, and on x87 with -mfpmath=sse. */
#include "%s.h"

#include <string.h>
#ifdef CAPS_DOUBLE
#include <math.h>
#endif

#ifdef __FAST_MATH__
#error "compile this file without -ffast-math: it decides what is an alarm"
#endif
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

#define C CAPS_CHANNELS
#define CAPS_REGIMES %d
#define CAPS_FARTHEST %s
#define CAPS_INPUT_LIMIT %s
#ifdef CAPS_DOUBLE
#define R(x) x
#define NAME_real_exp exp
#define NAME_real_log log
#define NAME_real_log1p log1p
#else
#define R(x) x##f
#endif
"""


def sources(step, scaler, detector, facts, name, rounding):
    """{file name: text} of the C source and its header.

    step : graph.Step; scaler : kit.record.windows.Scaler; detector : a dict of detectors.json
    facts : {"title": sentence, "sources": [lines]}; name : prefix of everything, a C name
    """
    check(step, scaler, detector, name)
    made = network.network(step, rounding)
    files = {name + ".c": source(step, scaler, detector, made, facts, name),
             name + ".h": header(step, scaler, detector, facts)}
    return {path: tidy(pieces.named(text, name)) for path, text in files.items()}


def check(step, scaler, detector, name):
    """UserError where model, scaler and detector do not belong together."""
    channels = len(scaler.channels)
    if not re.match(r"[a-z][a-z0-9_]*$", name):
        raise UserError("--name %s: take lower-case letters, digits and _" % name)
    for place, end in ((step.inputs[0], "takes"), (step.outputs[0], "forecasts")):
        if step.tensors[place].size != channels:
            raise UserError("the model %s %d values; the scaler has %d channels"
                            % (end, step.tensors[place].size, channels))
    if "residual" not in detector or not ladders(detector):
        raise UserError("this detector has no residual or no distance; firmware needs the one of a "
                        "model file")


def ladders(detector):
    """The aspects with a distance that a detector has, in the scorer's order."""
    return [aspect for aspect in LADDERS if aspect in detector and "matrix" in detector[aspect]]


def tidy(text):
    """No space at line ends, one empty line at most, one line end at the end."""
    text = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"


# ---- detector.h -----------------------------------------------------------------------------


def header(step, scaler, detector, facts):
    values = {
        "TITLE": facts["title"], "CHANNELS": len(scaler.channels),
        "INTERVAL": "%g" % detector["interval_s"], "THRESHOLD": "%g" % detector["threshold"],
        "NAMES": "\n".join(" *   %-3d %s" % pair for pair in enumerate(scaler.channels)),
        "SOURCES": "\n".join(" *   " + line for line in facts["sources"]),
        "SCALES": len(detector["residual"]["weights"]),
        "LADDERS": len(ladders(detector)), "SPANS": len(detector["weights"]),
        "WARM_UP": detector["warm_up_samples"],
        "TYPE": ctype(step), "STATES": "\n".join(
            "    %s %s[%d];" % (ctype(step), state, step.tensors[place].size)
            for state, place in zip(network.state_names(step), step.inputs[1:]))}
    return re.sub("@([A-Z_]+)@", lambda found: str(values[found.group(1)]),
                  pieces.text("detector.h"))


def ctype(step):
    return TYPES[step.tensors[step.inputs[0]].dtype]


# ---- detector.c -----------------------------------------------------------------------------


def source(step, scaler, detector, made, facts, name):
    head = HEAD % (facts["title"], name, len(detector["residual"]["centres"]),
                   network.numbers.literal(FARTHEST), network.numbers.literal(INPUT_LIMIT))
    own = made.constants + "\n\n" + made.function
    dtype = step.tensors[step.inputs[0]].dtype
    for_network = library(dtype, own + made.round_function, made.round_function)
    return "\n".join([
        head, "/* ---- curves, the same on every chip ---- */\n", curves(for_network),
        "\n#ifndef CAPS_HOOK\n/* ---- the network ---- */\n", for_network, "", own, "#endif\n",
        "/* ---- what the fit of the detector found ---- */\n", constants(scaler, detector),
        pieces.text("scorer.c").replace("@IS_NUMBER@", IS_NUMBER * (dtype == "float32")), "\n",
        run(step), "\n", pieces.text("stream.c")])


def library(dtype, calling, round_function=""):
    """The C functions that a network of a type calls."""
    text = pieces.called(LIBRARIES[dtype], calling)
    return text.replace("ELEMENT", TYPES[dtype]).replace("ROUND(", round_function + "(")


def curves(for_network):
    """exp and log: the scorer's in float, and the network's where it calls them."""
    texts = []
    for name in ("NAME_exp", "NAME_log"):
        user = "!defined(CAPS_DOUBLE)" + " || !defined(CAPS_HOOK)" * (name + "(" in for_network)
        texts.append("#if %s\n%s\n#endif\n" % (user, pieces.called(["curves.c"], name)))
    return "\n".join(texts)


def run(step):
    """NAME_clear and NAME_run: the states before the first sample, and one call of the network."""
    ends = [step.tensors[place] for place in (step.inputs[0], step.outputs[0])]
    clear = ["    memset(states->%s, %d, sizeof states->%s);" % (state, zero(step, place), state)
             for state, place in zip(network.state_names(step), step.inputs[1:])]
    if ends[0].dtype != "int8":
        clear = ["    memset(states, 0, sizeof *states);"]
    text = ("/* The states before the first sample. */\n"
            "static void NAME_clear(NAME_states *states)\n{\n%s\n}\n\n" % "\n".join(clear))
    return text + (RUN_FLOAT if ends[0].dtype == "float32" else RUN_INTEGER) % dict(
        type=ctype(step), low=np.iinfo(ends[0].dtype).min if ends[0].scales.size else 0,
        high=np.iinfo(ends[0].dtype).max if ends[0].scales.size else 0,
        scale=network.numbers.literal(ends[0].scale) if ends[0].scales.size else 0,
        zero=ends[0].zero_point, out_zero=ends[1].zero_point,
        out_scale=network.numbers.literal(ends[1].scale) if ends[1].scales.size else 0)


def zero(step, place):
    return step.tensors[place].zero_point


CALL = """#ifdef CAPS_HOOK
    s->network(s->context, %s, &s->states, %s);
#else
    NAME_network(%s, &s->states, %s);
#endif
"""
RUN_FLOAT = """/* Forecast of the next sample from the one held. */
static void NAME_run(NAME_state *s)
{
""" + CALL % (("s->held", "s->forecast") * 2) + """}
"""
RUN_INTEGER = """/* A sample in the numbers of the file: to the nearest, ties to even. */
static %(type)s NAME_quantized(float x)
{
    float steps = x / %(scale)s + 12582912.0f;  /* no bits left for a fraction */

    steps = steps - 12582912.0f + %(zero)d.0f;
    return (%(type)s)(steps < %(low)d.0f ? %(low)d.0f : steps > %(high)d.0f ? %(high)d.0f : steps);
}

/* Forecast of the next sample from the one held. */
static void NAME_run(NAME_state *s)
{
    %(type)s sample[C], forecast[C];
    int c;

    for (c = 0; c < C; c++)
        sample[c] = NAME_quantized(s->held[c]);
""" + CALL % (("sample", "forecast") * 2) + """    for (c = 0; c < C; c++)
        s->forecast[c] = ((float)forecast[c] - %(out_zero)d.0f) * %(out_scale)s;
}
"""


def constants(scaler, detector):
    """The fitted numbers as constants, by the names that c/scorer.c and c/stream.c use."""
    fitted, aspects = detector["residual"], ladders(detector)
    inverse_covariances = np.array(fitted["inverse_covariances"], float)
    tails = fitted["tails"] + detector["missing"]["tails"] + [
        tail for aspect in aspects for tail in detector[aspect]["tails"]]
    knots = max(len(tail["knots"]) for tail in tails)
    lines = [doubles("NAME_mean", scaler.mean), doubles("NAME_std", scaler.std)]
    lines += [reals("NAME_" + key, fitted[key]) for key in (
        "location", "log_scale", "state_low", "state_high", "state_weights", "centres",
        "inverse_covariances", "weights", "clip", "norms")]
    lines += [
        reals("NAME_spreads", np.sqrt(np.diagonal(inverse_covariances, axis1=1, axis2=2))),
        reals("NAME_units", np.maximum(np.array(fitted["clip"], float) / LIGHT, 1)),
        "static const uint8_t NAME_squared[%d] = {%s};" % (
            len(fitted["powers"]), ", ".join(str(int(p == 2)) for p in fitted["powers"])),
        reals("NAME_matrices", [detector[aspect]["matrix"] for aspect in aspects]),
        reals("NAME_usual", [detector[aspect]["usual"] for aspect in aspects]),
        reals("NAME_span_weights", detector["weights"])]
    lines += ["static const NAME_real NAME_%s = %s;" % (key, real(value)) for key, value in (
        ("fading", detector["fading"]), ("threshold", detector["threshold"]),
        ("usual_decades", fitted["usual"]), ("lately_weight", fitted["lately_weight"]),
        ("nearest_of_all", LEAST_DISTANCE), ("most_decades", MOST))]
    lines += [
        "typedef struct {\n    NAME_real knots[%d], decades[%d], shape, scale;\n    int count;\n"
        "} NAME_tail;" % (knots, knots),
        "static const NAME_tail NAME_residual_tails[%d] = %s;" % (
            len(fitted["tails"]), braced(fitted["tails"])),
        "static const NAME_tail NAME_missing_tail =\n%s;" % tail_text(*detector["missing"]["tails"]),
        "static const NAME_tail NAME_ladder_tails[%d][%d] = {\n%s\n};" % (
            len(aspects), len(detector["weights"]),
            ",\n".join(braced(detector[aspect]["tails"]) for aspect in aspects))]
    return "\n".join(lines) + "\n"


def braced(tails):
    return "{\n%s\n}" % ",\n".join(map(tail_text, tails))


def tail_text(tail):
    return "    {{%s},\n     {%s},\n     %s, %s, %d}" % (
        ", ".join(map(real, tail["knots"])), ", ".join(map(real, tail["decades"])),
        real(tail["shape"]), real(tail["scale"]), len(tail["knots"]))


def real(value):
    """A number as a macro that is float or double: R(0.25)."""
    text = "%.17g" % (value + 0.0)
    short = "%.9g" % (value + 0.0)
    text = short if float(short) == float(text) else text
    return "R(%s)" % (text if "." in text or "e" in text else text + ".0")


def reals(name, values):
    values = np.array(values, float)
    return "static const NAME_real %s%s = %s;" % (
        name, "".join("[%d]" % size for size in values.shape), nested(values))


def nested(values):
    if values.ndim == 1:
        return "{%s}" % wrapped([real(value) for value in values])
    return "{\n    %s\n}" % ",\n    ".join(nested(row) for row in values)


def wrapped(items):
    lines = [", ".join(items[at:at + 6]) for at in range(0, len(items), 6)]
    return ",\n     ".join(lines)


def doubles(name, values):
    return "static const double %s[%d] = {\n    %s\n};" % (
        name, len(values), ",\n    ".join(map(repr, map(float, values))))
