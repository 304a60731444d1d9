"""Parts of the steps of a graph, noted while it is built."""
from kit.network import roles


class Graph:
    """The collections of a tf.Graph."""

    def __init__(self):
        self.collections = {}

    def add_to_collection(self, name, value):
        self.collections.setdefault(name, []).append(value)

    def get_collection(self, name):
        return list(self.collections.get(name, []))

    def tensor(self, name):
        made = type("Tensor", (), {})()
        made.graph, made.op = self, type("Op", (), {"name": name})()
        return made


def test_a_noted_tensor_is_handed_on():
    tensor = Graph().tensor("lstm/t0000/c")
    assert roles.note("state", tensor) is tensor and roles.parts_noted(tensor.graph) == 1


def test_steps_have_the_parts_of_the_first_by_their_names_within_it():
    graph = Graph()
    for name, role in (("other/c", "state"), ("lstm/t0000/xh", "joined"), ("lstm/t0000/xrh", "joined"),
                       ("lstm/t0000/c", "state"), ("lstm/t0001/c", "state")):
        roles.note(role, graph.tensor(name))
    roles.note_steps(graph, ["lstm/t0000/", "lstm/t0001/"])
    assert roles.noted(graph) == [{"scopes": ["lstm/t0000/", "lstm/t0001/"], "state": "c",
                                   "joined": ["xh", "xrh"]}]


def test_one_step_has_the_parts_since_its_start_by_the_names_of_its_outputs():
    graph = Graph()
    roles.note("state", graph.tensor("before/c"))
    start = roles.parts_noted(graph)
    for name, role in (("lstm/added", "first_state"), ("lstm/c", "state"), ("lstm/xh", "joined")):
        roles.note(role, graph.tensor(name))
    roles.note_step(graph, start, {"lstm/c": "next_state_0_c"})
    assert roles.noted(graph) == [{"scopes": [""], "state": "next_state_0_c", "joined": ["lstm/xh"]}]


def test_steps_without_a_part_are_steps():
    graph = Graph()
    roles.note_steps(graph, ["dense/t0000/"])
    assert roles.noted(graph) == [{"scopes": ["dense/t0000/"]}]
