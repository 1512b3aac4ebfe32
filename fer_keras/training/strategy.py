"""What a run computes on: one device, every device of a machine, or those of several machines.

TensorFlow shares a batch out by `tf.distribute.MirroredStrategy`, JAX by `keras.distribution.DataParallel`, over several
machines too. Either way every replica holds all weights and reads its part of each batch, and gradients, batch
normalisation, losses and metrics are those of the whole batch: the weights come out as on one device.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module

import keras

from fer_keras.cli import one_line
from fer_keras.config.run_config import RunConfig
from fer_keras.losses import sums_over_replicas

_WATCH = "import sys; sys.stdin.buffer.read() or print(sys.argv[1], file=sys.stderr, flush=True)"
_LOST = (
    "Another machine of this run is lost. Start the same command with --resume on every machine: the run continues after "
    "its last whole epoch."
)


class OneDevice:
    """One device of one machine, and the interface of every strategy.

    Attributes:
        replicas: number of parts that every batch is split into.
        share: (place, places) of this process among those of the run; see `TrainingBatches`.
    """

    replicas = 1
    share = (0, 1)

    @property
    def leads(self) -> bool:
        """Whether this process writes what the run leaves; of several machines the first does."""
        return self.share[0] == 0

    def scope(self):
        """Return the context in which models are built, compiled and trained."""
        return contextlib.nullcontext()

    def prepare(self, net: keras.Model) -> None:
        """Make a new net's layers work across replicas."""

    def finish(self) -> None:
        """End the work with other machines; this process then continues alone."""


class MirroredDevices(OneDevice):
    """All GPUs of this machine that TensorFlow sees; without GPUs its logical CPU devices."""

    def __init__(self):
        import tensorflow as tf

        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        devices = [device.name for device in tf.config.list_logical_devices(kind)]
        self._tf, self._strategy = tf, tf.distribute.MirroredStrategy(devices)
        self.replicas = self._strategy.num_replicas_in_sync

    @contextlib.contextmanager
    def scope(self):
        with self._strategy.scope(), sums_over_replicas(self._sum, self.replicas):
            yield

    def _sum(self, value):
        if self._tf.distribute.in_cross_replica_context():  # Keras traces the model once outside the replicas
            return value
        return self._tf.distribute.get_replica_context().all_reduce("SUM", value)

    def prepare(self, net: keras.Model) -> None:
        """Let batch normalisation take its statistics over the whole batch."""
        for layer in net.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True


class DataParallelDevices(OneDevice):
    """All devices that JAX sees, of this machine or, with addresses, of several.

    Args:
        machines: "address:port" of the first machine and the addresses of the others, with commas between; None: this one.
        machine: place of this machine among them, from 0.

    Raises:
        ConnectionError: the others cannot be reached.
    """

    def __init__(self, machines: str | None = None, machine: int = 0):
        if machines:
            count = len(machines.split(","))
            try:
                keras.distribution.initialize(machines, count, machine)
            except RuntimeError as error:
                raise ConnectionError(
                    f"Machine {machine} did not meet the others at {machines.split(',')[0]} ({one_line(error)})."
                ) from error
            self.share = (machine, count)
        self._several = bool(machines)
        self._distribution = keras.distribution.DataParallel(auto_shard_dataset=False)
        self.replicas = len(keras.distribution.list_devices())

    @contextlib.contextmanager
    def scope(self):
        try:
            with (
                self._distribution.scope(),
                last_words(f"error: {_LOST}") if self._several else contextlib.nullcontext(),
            ):
                yield
        except (RuntimeError, ValueError) as error:
            if self._several and _is_lost(error):
                raise ConnectionError(f"{_LOST} ({one_line(error)})") from error
            raise

    def finish(self) -> None:
        """Leave the others, so that none of them waits while the first machine evaluates."""
        if self._several:
            import_module("jax").distributed.shutdown()
            self._several = False


def _is_lost(error: Exception) -> bool:
    """Return whether JAX failed because another process ended; it has no type of error for that."""
    words = ("gloo", "nccl", "connection", "heartbeat", "unavailable", "coordination", "deadline", "peer")
    return any(word in str(error).lower() for word in words)


@contextlib.contextmanager
def last_words(message: str) -> Iterator[None]:
    """Print a message to standard error if this process is killed inside the context, by its runtime or by a signal.

    JAX aborts a process whose peers are gone, with a C++ trace instead of an error that Python could catch. So a second
    process waits at the end of a pipe, which the system closes whatever happens to this one. An exception that leaves the
    context prints nothing.
    """
    watcher = subprocess.Popen([sys.executable, "-c", _WATCH, message], stdin=subprocess.PIPE)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the watcher was killed
            watcher.communicate(b"alive")


def open_strategy(name: str, machines: str | None = None, machine: int = 0) -> OneDevice:
    """Return the strategy that a configuration asks for.

    Args:
        name: none or mirrored.
        machines, machine: see `DataParallelDevices`.

    Raises:
        ValueError: Keras's backend does not have that strategy, or the addresses cannot be used.
        ConnectionError: other machines cannot be reached.
    """
    backend = keras.backend.backend()
    if machine and not machines:
        raise ValueError(f"--machine expects --machines, the addresses of all. Received: --machine {machine} alone.")
    if machines:
        _check_machines(backend, machines, machine)
        strategy: OneDevice = DataParallelDevices(machines, machine)
    elif name == "none":
        return OneDevice()
    elif backend == "torch":
        raise ValueError("--strategy mirrored expects Keras's TensorFlow or JAX backend. Received: torch.")
    else:
        strategy = MirroredDevices() if backend == "tensorflow" else DataParallelDevices()
    if strategy.replicas == 1:
        print("note: this machine has one device; --strategy mirrored changes nothing", file=sys.stderr)
    return strategy


def _check_machines(backend: str, machines: str, machine: int) -> None:
    addresses = machines.split(",")
    if backend != "jax":
        raise ValueError(f"--machines expects Keras's JAX backend. Received: {backend}. Set KERAS_BACKEND=jax.")
    if len(addresses) < 2 or not addresses[0].rpartition(":")[2].isdecimal() or not all(addresses):
        raise ValueError(
            "--machines expects the first machine's address with a port and the others' addresses, such as "
            f"10.0.0.1:8476,10.0.0.2. Received: {machines!r}."
        )
    if not 0 <= machine < len(addresses):
        raise ValueError(f"--machine expects 0 to {len(addresses) - 1}. Received: {machine}.")


def check_backend(config: RunConfig, replicas: int) -> None:
    """Refuse settings that Keras's backend does not support, or not on several devices.

    Args:
        config: of the run.
        replicas: number of devices that share a batch.

    Raises:
        ValueError: the flag is named.
    """
    backend, loss, sam = keras.backend.backend(), config.loss, config.optimizer.sam
    if sam and backend != "tensorflow":
        raise ValueError(
            f"--sam expects Keras's TensorFlow backend. Received: {backend}. Set --sam 0, or KERAS_BACKEND=tensorflow."
        )
    alone = {
        "--sam": sam,
        "--loss-weighting uncertainty": loss.weights_learned,
        f"--va-loss {loss.va_loss}": loss.shares_drawn,
    }
    found = [flag for flag, given in alone.items() if given]
    if found and replicas > 1 and backend == "tensorflow":
        raise ValueError(
            f"{found[0]} expects one device on TensorFlow, because each replica would draw or climb separately. "
            "Set --strategy none."
        )


def check_batch(batch_size: int, replicas: int) -> None:
    """Refuse a batch that cannot be split into equal parts.

    Args:
        batch_size: faces per step, at most as many as there are.
        replicas: number of devices that share them.

    Raises:
        ValueError: it cannot.
    """
    if batch_size % replicas:
        raise ValueError(
            f"--batch-size expects a multiple of the {replicas} devices, and at most the number of training faces. "
            f"Received: {batch_size}."
        )
