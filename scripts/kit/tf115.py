"""TensorFlow 1.15 imported quietly and the same way everywhere: `from kit.tf115 import tf`.

The only module that imports tensorflow at its top. Before the import it silences the log walls,
keeps to one thread and one CPU device, and puts the interpreter's own bin folder on PATH (1.15's
converter looks there for toco_from_protos when it is told to use a subprocess). After the import it
fixes the cache sizes by which Eigen cuts matrix products: the CPU's own would decide the order in
which long sums are added. The remaining pins must stand before the interpreter starts and are set
by scripts/run.
"""
import contextlib
import ctypes
import os
import sys
import warnings

from kit.cli import UserError
from kit.pins import say_unless_pinned

L1_BYTES, L2_BYTES, L3_BYTES = 32 << 10, 512 << 10, 16 << 20

os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")
for _key, _value in (("TF_CPP_MIN_LOG_LEVEL", "3"), ("CUDA_VISIBLE_DEVICES", ""),
                     ("TF_NUM_INTRAOP_THREADS", "1"), ("TF_NUM_INTEROP_THREADS", "1"),
                     ("TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL", "false")):
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


def _fix_cache_sizes():
    """Eigen::internal::manage_caching_sizes(SetAction, l1, l2, l3) of the loaded library."""
    folder = os.path.join(os.path.dirname(tf.__file__), "..", "tensorflow_core")
    library = ctypes.CDLL(os.path.join(folder, "libtensorflow_framework.so.1"))
    sizes = [ctypes.byref(ctypes.c_long(size)) for size in (L1_BYTES, L2_BYTES, L3_BYTES)]
    library._ZN5Eigen8internal20manage_caching_sizesENS_6ActionEPlS2_S2_(1, *sizes)


_fix_cache_sizes()
say_unless_pinned()


def session(graph=None, threads=1):
    """A session on the CPU alone, by default with one thread; threads=0 takes every core."""
    return tf.compat.v1.Session(graph=graph, config=tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads,
        device_count={"CPU": 1, "GPU": 0}))


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
