"""Apache Beam for the commands that can give their work to it: one engine for data sets and for folders of pictures.

Beam and not Ray: TensorFlow Datasets writes its shards on Beam, so an installation that prepares large data sets has it
already, and one pipeline runs on Flink, Spark, Dataflow or this machine. Ray would be a second engine to install and maintain
for jobs that only apply one function to each item.
"""

import shlex
from dataclasses import dataclass

from fer_keras.config.settings import Settings, setting


def import_beam(asked_by: str):
    """Return the module `apache_beam`.

    Args:
        asked_by: the flag that needs it, for the error.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import apache_beam
    except ImportError as error:
        raise ValueError(f"{asked_by} needs Apache Beam: pip install 'fer_keras[beam]'.") from error
    return apache_beam


@dataclass(frozen=True)
class BeamOptions(Settings):
    """What a command that can run on Apache Beam passes on to its pipeline."""

    beam_options: str = setting(
        "", "arguments of Beam's pipeline, such as --beam-options='--runner=FlinkRunner'", metavar="TEXT"
    )


def parse_beam_options(text: str, asked_for: bool, flag: str) -> list[str] | None:
    """Return the arguments of a Beam pipeline, or None where Beam is not asked for.

    Args:
        text: as given to --beam-options.
        asked_for: whether the command is to run on Beam.
        flag: that asks for it, for the error.

    Raises:
        ValueError: options without Beam, or a quotation that does not end.

    Example:
        >>> parse_beam_options("--runner=FlinkRunner --parallelism=4", True, "--beam")
        ['--runner=FlinkRunner', '--parallelism=4']
    """
    if text and not asked_for:
        raise ValueError(f"--beam-options expects {flag}. Received: {text!r}.")
    try:
        return shlex.split(text) if asked_for else None
    except ValueError as error:
        raise ValueError(
            f"--beam-options expects arguments as a shell takes them ({error}). Received: {text!r}."
        ) from None


def pipeline_options(arguments: list[str]):
    """Return the options of a pipeline that starts from these arguments; Beam must be installed."""
    from apache_beam.options.pipeline_options import PipelineOptions

    return PipelineOptions(list(arguments))
