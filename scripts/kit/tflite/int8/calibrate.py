"""What every tensor of a float model holds on calibration data."""
import numpy as np

from kit.record.samples import lengths_of, starts_of
from kit.runtime import flatbuffer
from kit.runtime.flatbuffer import FLOAT32
from kit.runtime.forms import data_of, several, states_of

WINDOWS, SAMPLES, KEPT_SAMPLES = 100, 30000, 4000
MOST_VALUES = 30000000  # kept of a long or wide model: 120 MB


def observe(graph, signature, samples):
    """What each computed tensor holds on the calibration data: place -> (n, elements) float32."""
    written = set(graph.producers()) | {graph.places[item["name"]] for item in signature["inputs"]}
    computed = [place for place in sorted(written)
                if graph.tensors[place].get("type", 0) == FLOAT32
                and not graph.tensors[place].get("is_variable")]
    run = _interpreter(graph, signature, computed)
    runs = _step_runs if signature["form"] in ("step", "loop") else _window_runs
    found = {place: [] for place in computed}
    per_run = sum(int(np.prod(graph.tensors[place]["shape"])) for place in computed)
    for _ in runs(run, signature, samples, MOST_VALUES // per_run):
        for place in computed:
            found[place].append(run.get_tensor(place).ravel())
    return {place: np.stack(values) for place, values in found.items()}


def _interpreter(graph, signature, outputs):
    """An interpreter of the float model that keeps every computed tensor."""
    from kit.tf.tf115 import tf

    body = dict(graph.body, outputs=np.array(outputs, np.int32), inputs=np.array(
        [graph.places[item["name"]] for item in signature["inputs"]], np.int32))
    run = tf.lite.Interpreter(model_content=flatbuffer.write(dict(graph.model, subgraphs=[body])))
    run.allocate_tensors()
    return run


def _window_runs(run, signature, samples, most):
    places = [item["index"] for item in run.get_input_details()]
    for window in zip(*several(samples.windows(max(8, min(WINDOWS, most)), extremes=True))):
        for place, values in zip(places, window):
            run.set_tensor(place, values[None])
        run.reset_all_variables()  # of a fused LSTM
        yield run.invoke()


def _step_runs(run, signature, samples, most):
    """The recurrence along each sequence of the data; yields where observations are kept.

    In the step form windows are joined, as in the comparison with Keras: their states go on.
    """
    details = [item["index"] for item in run.get_input_details()]  # in the signature's order
    names = {item["name"]: item["index"] for item in run.get_output_details()}
    first_state = len(data_of(signature["inputs"]))
    places, states = details[:first_state], details[first_state:]
    after = [names[item["name"]] for item in states_of(signature["outputs"])]
    walks, lengths, starts = samples.walks, lengths_of(samples), starts_of(samples)
    picks = np.linspace(0, len(walks) - 1, max(1, min(
        len(walks), SAMPLES // int(lengths.mean())))).astype(int)
    total = int(np.minimum(lengths[picks], SAMPLES).sum())
    every = max(1, total // max(100, min(KEPT_SAMPLES, most)))
    extremes, count = set(samples.extremes), 0
    zero = [np.zeros(item["shape"], np.float32) for item in states_of(signature["inputs"])]
    held, goes_on = zero, samples.joined and signature["form"] == "step"
    for pick in picks:
        held = held if goes_on else zero
        for number, sample in enumerate(zip(*(values[:SAMPLES] for values in walks[pick]))):
            for place, values in zip(places, sample):
                run.set_tensor(place, np.asarray(values)[None])
            for place, value in zip(states, held):
                run.set_tensor(place, value)
            run.invoke()
            if count % every == 0 or starts[pick] + number in extremes:
                yield
            held = [run.get_tensor(place) for place in after]
            count += 1
