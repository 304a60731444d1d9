"""Which tensors play which part in the steps of a graph, noted while it is built.

The quantizer needs to know it, and would have to guess it from names and patterns. A record:

    scopes       of the steps, in order, each with its slash; [""] where names are whole (step form)
    joined       names, within a step, of what a state is joined with something in, the state last
    doubled      2 s of a candidate 2 s - 1, where s is a sigmoid,
    candidate    the candidate itself,
    state        the cell state to which it is added through its gate,
    first_state  and the same where there was no state before, and the converter folds the sum away
"""
PARTS, STEPS = "parts", "steps"  # collections of a tf.Graph


def note(role, tensor):
    """Note the part of a tensor; the tensor."""
    tensor.graph.add_to_collection(PARTS, (role, tensor.op.name))
    return tensor


def parts_noted(graph):
    """How many parts were noted so far."""
    return len(graph.get_collection(PARTS))


def note_steps(graph, scopes):
    """Note the steps of these scopes; all have the parts that the first one has."""
    first = scopes[0]
    _record(graph, scopes, [(role, name[len(first):]) for role, name in graph.get_collection(PARTS)
                            if name.startswith(first)])


def note_step(graph, start, outputs):
    """Note one step by itself, with the parts noted since there were `start`.

    outputs : name of a tensor -> that of the output it becomes; the converter keeps the latter
    """
    parts = graph.get_collection(PARTS)[start:]
    _record(graph, [""], [(role, outputs.get(name, name)) for role, name in parts
                          if role != "first_state"])


def _record(graph, scopes, parts):
    found = {role: name for role, name in parts if role != "joined"}
    joined = [name for role, name in parts if role == "joined"]
    found.update({"joined": joined} if joined else {})
    graph.add_to_collection(STEPS, dict(found, scopes=list(scopes)))


def noted(graph):
    """The records of a graph."""
    return graph.get_collection(STEPS)
