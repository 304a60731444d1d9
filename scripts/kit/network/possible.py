"""Which forms a network has, and in one sentence why not the others. No TensorFlow."""
from kit.base.cli import UserError
from kit.network.description import masked, paces, returned_states, shapes, step_shapes, timed
from kit.network.handlers import HANDLERS
from kit.network.layers.handler import WHOLE
from kit.network.loops import pieces
from kit.runtime.forms import FORMS

MOST_STEPS = 2000  # of all recurrent layers together: more take 1.15's converter many minutes


def window_steps(network, asked, path):
    """The window's length: the model's own, or what was asked where its time axis is open."""
    if network.steps is None and not network.open:
        return None
    if network.steps is None and asked is None:
        raise UserError("%s: the model's time axis is undefined; say how long a window is with "
                        "--window-steps" % path)
    if None not in (network.steps, asked) and network.steps != asked:
        raise UserError("%s: the model takes windows of %d samples, not of %d"
                        % (path, network.steps, asked))
    steps = network.steps or asked
    if steps < 1:
        raise UserError("a window of %d samples; at least 1 is needed" % steps)
    return steps


def unrolled_steps(network, steps):
    """How many steps all recurrent layers take together in the window form."""
    sizes = shapes(network, steps)
    return sum(sizes[node.inputs[0]][0] * (2 if node.layer.class_name == "Bidirectional" else 1)
               for node in network.nodes if HANDLERS[node.layer.class_name].recurrent)


def check_window(network, steps, path):
    """UserError with the form that works where a window is too long to unroll."""
    total = unrolled_steps(network, steps)
    if total > MOST_STEPS:
        others = [form for form in FORMS if form != "window" and not why_not(
            network, form, steps, path)]
        way = "use the %s form" % " or the ".join(others) if others else (
            "take shorter windows, as there is no other form")
        raise UserError("%s: no window form: %d steps of its recurrent layers would be unrolled, "
                        "and the converter takes the square of their number; up to %d are; %s"
                        % (path, total, MOST_STEPS, way))


def check_step(network, path):
    """UserError with the layer and the form that works where the step form cannot exist."""
    timed(network, path)
    inputs, pace = len(network.inputs), paces(network)
    for node in network.nodes:
        handler = HANDLERS[node.layer.class_name]
        if len({pace[v] for v in node.inputs if v >= inputs or network.inputs[v].timed}) > 1:
            raise UserError("%s: no step form: layer '%s' joins what has an output at every step "
                            "and what has one every few; use the window form"
                            % (path, node.layer.name))
        given = [v for place, v in enumerate(node.inputs) if handler.takes_state(place)]
        if any(v >= inputs or network.inputs[v].state_of is None for v in given):
            raise UserError("%s: no step form: layer '%s' begins with a state that is computed, or "
                            "read by others too, which %s" % (path, node.layer.name, WHOLE))
    if not any(item.timed for item in network.data):
        raise UserError("%s: no step form: no input is a sequence; use the window form" % path)


def check_chunk(network, path):
    """UserError where the chunk form cannot exist: it is a loop over the step form."""
    check_step(network, path)
    sizes, outputs = step_shapes(network, path), [
        value for _, value in network.outputs if value not in returned_states(network)]
    ends = [sizes[value] for value, item in enumerate(network.inputs) if item.state_of is None]
    ends += [sizes[value] for value in outputs]
    if [len(shape) for shape in ends] != [1, 1] or network.data[0].dtype != "float32":
        raise UserError("%s: no chunk form: it takes one sequence of vectors and gives one; use the "
                        "step form" % path)


def check_fused(network, path):
    """UserError with the layer and the form that works where the fused op cannot compute it."""
    masks = masked(network)
    for node in network.nodes:
        handler, layer = HANDLERS[node.layer.class_name], node.layer
        reason = handler.no_fused(layer)
        if handler.recurrent and not reason:
            if masks[node.inputs[0]]:
                reason = "goes along a masked sequence, and the fused op has no mask", ""
            elif len(node.inputs) > 1 or layer.options.get("return_state"):
                reason = "takes or gives a state, which the fused op keeps to itself", ""
        if reason:
            others = "window" if why_not(network, "step", None, path) else "window or the step"
            raise UserError("%s: no fused form: layer '%s' %s; use the %s form%s"
                            % (path, layer.name, reason[0], others, reason[1]))
    if not fused_activations(network):
        raise UserError("%s: no fused form: no LSTM in this model; use the window form" % path)


def fused_activations(network):
    """The activation of each fused op in the order of the graph; 1.15 writes tanh for all."""
    return [activation for layer in network.layers
            for activation in HANDLERS[layer.class_name].fused_activations(layer)]


CHECKS = {"window": check_window,
          "loop": lambda network, steps, path: pieces(network, steps, path),
          "step": lambda network, steps, path: check_step(network, path),
          "chunk": lambda network, steps, path: check_chunk(network, path),
          "fused": lambda network, steps, path: check_fused(network, path)}


def why_not(network, form, steps, path="the model"):
    """The sentence that says why there is no such form; None where there is, or none knows."""
    try:
        CHECKS.get(form, lambda *given: None)(network, steps, path)
    except UserError as error:
        return str(error)
    return None


# --- what a person reads ----------------------------------------------------------------------


def explained(network, asked=None, path="the model"):
    """The lines of `convert --explain`: the layers as read, and the forms."""
    sizes = shapes(network, asked)
    lines = ["%s" % path, "", "inputs"]
    for item in network.inputs:
        role = "state of layer '%s'" % item.state_of if item.state_of else (
            "sequence" if item.timed else "without steps")
        lines.append("  %-20s %s %s, %s" % (item.name, item.dtype, shown(item.shape), role))
    lines.append("layers")
    for node in network.nodes:
        lines.append("  %-20s %-18s %s -> %s%s" % (
            node.layer.name, node.layer.class_name, ", ".join(shown(sizes[v]) for v in node.inputs),
            ", ".join(shown(sizes[v]) for v in node.outputs), options(node.layer)))
    lines += ["outputs"] + ["  %-20s %s" % (name, shown(sizes[value]))
                            for name, value in network.outputs] + ["forms"]
    return lines + ["  %-8s %s" % (form, verdict(network, form, asked, path)) for form in CHECKS]


def verdict(network, form, asked, path):
    """Yes, or why not."""
    try:
        any_steps = form == "loop" and network.steps is None
        steps = asked if FORMS[form].streams or any_steps else window_steps(network, asked, path)
    except UserError as error:
        return str(error)
    return why_not(network, form, steps, path) or "yes" + (
        slowly(network) if FORMS[form].streams else "")


def slowly(network):
    """What to know of a step form that has no new output at every call."""
    first, every = max(paces(network)[value] for _, value in network.outputs)
    if (first, every) == (0, 1):
        return ""
    return ", with a new output every %d calls, the first at call %d; between them the last one is " \
        "repeated" % (every, first + 1)


def shown(shape):
    """(?, 3) for an open axis and 3."""
    return "(%s)" % ", ".join("?" if size is None else str(size) for size in shape)


def options(layer):
    """What tells a layer from others of its class, of numbers and names."""
    told = [(key, value) for key, value in sorted(layer.options.items())
            if isinstance(value, (str, int, float)) and value is not False]
    return "".join("  %s=%s" % item for item in told)
