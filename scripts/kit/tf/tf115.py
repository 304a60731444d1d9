"""TensorFlow 1.15 imported quietly and the same way everywhere: `from kit.tf.tf115 import tf`.

The only module that imports tensorflow at its top. Before the import it silences the log walls,
keeps to the CPU, and puts the interpreter's own bin folder on PATH (1.15's converter looks there
for toco_from_protos when it is told to use a subprocess). After the import it gives Eigen the cache
sizes that scripts/run names, as it does every other pin: started without it, TensorFlow takes what
this machine has, and a note says so.
"""
import contextlib
import os
import sys
import warnings

from kit.base.cli import UserError
from kit.base.pins import say_unless_pinned
from kit.tf.eigen import set_cache_bytes

os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")
for _key, _value in (("TF_CPP_MIN_LOG_LEVEL", "3"), ("CUDA_VISIBLE_DEVICES", "")):
    os.environ.setdefault(_key, _value)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    try:
        import tensorflow as tf
    except ImportError as error:
        raise UserError("TensorFlow 1.15 is needed here (%s); run this as `sh scripts/run NAME ...`"
                        " after `make setup`" % error)

if not tf.__version__.startswith("1.15"):
    raise UserError("TensorFlow 1.15 is needed here, this is %s; run this as `sh scripts/run NAME "
                    "...` after `make setup`" % tf.__version__)

tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
tf.get_logger().propagate = False
if "EIGEN_CACHE_BYTES" in os.environ:
    set_cache_bytes([int(size) for size in os.environ["EIGEN_CACHE_BYTES"].split(",")])
say_unless_pinned()


def unhurried(config):
    """A ConfigProto whose graph optimizer takes all the time it needs.

    1.15's leaves out the rest of its rewrites five minutes after it began, by the system's clock:
    a process that was stopped, or a clock that was set, gave other last bits.
    """
    config.graph_options.rewrite_options.meta_optimizer_timeout_ms = -1
    return config


def session(graph=None):
    """A session on the CPU alone; TF_NUM_{INTRA,INTER}OP_THREADS say with how many threads."""
    return tf.compat.v1.Session(graph=graph, config=unhurried(tf.compat.v1.ConfigProto(
        device_count={"CPU": 1, "GPU": 0})))


def load_keras(path):
    """A Keras model from its .h5 file, for inference; UserError when 1.15 cannot load it."""
    tf.keras.backend.clear_session()
    tf.keras.backend.set_session(session())
    tf.keras.backend.set_learning_phase(0)
    try:
        return tf.keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever its layers raise
        raise UserError("%s: TensorFlow 1.15 cannot load this model: %s"
                        % (path, " ".join(str(error).split())[:300]))


@contextlib.contextmanager
def quiet_stderr():
    """Hide what C++ code writes to stderr: yields a file that holds it."""
    import tempfile

    sys.stderr.flush()
    with tempfile.TemporaryFile() as log:
        saved = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            yield log
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def frozen_session(data):
    """A session of the bytes of a frozen GraphDef."""
    graph, definition = tf.Graph(), tf.compat.v1.GraphDef.FromString(data)
    with graph.as_default():
        tf.import_graph_def(definition, name="")
    return session(graph)
