"""What a run's profile says, in words: the share of each part, and what to change."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

from fer_keras.batches.loader import FaceLoader
from fer_keras.config.run_config import RunConfig
from fer_keras.cores import usable_cores
from fer_keras.files import write_text
from fer_keras.runs.run_directory import PROFILE_FILE
from fer_keras.training.machine import accelerators
from fer_keras.training.run_profile import PARTS

#: Of what the cores had while batches were waited for, the least share that decoding takes; less, and files come slowly.
_BUSY = 0.5
_MEANING = {
    "step": "forward and backward pass, optimizer",
    "input": "waiting for batches",
    "metrics": "scores of each step, measured alone",
    "validation": "the validation split after each epoch",
    "checkpoint": "writing the state and the best weights after each epoch",
    "callbacks": "checks, progress, averages, TensorBoard",
}


@dataclass(frozen=True)
class ProfileFacts:
    """What a run's advice depends on.

    Attributes:
        cache: of the training faces: memory, disk or none.
        remedy: the --cache to use in place of none: auto, or disk where auto has found that the faces do not fit into memory.
        workers, cores: batches made at a time, and processor cores.
        accelerated: whether the run computes on a GPU or the like.
        replicas: devices that share a batch.
    """

    cache: str
    _: KW_ONLY
    remedy: str
    workers: int
    cores: int
    accelerated: bool = False
    replicas: int = 1


def write_profile(trainer) -> None:
    """Write the profile of a `Trainer`'s run into its directory, if it trained at all."""
    profile = trainer.profile
    if profile.epochs:
        facts = _facts(trainer.config, trainer.train.loader, trainer.strategy.replicas)
        text = profile_text(profile.seconds(), profile.epochs, profile.input.made, facts)
        write_text(trainer.run / PROFILE_FILE, text)


def _facts(config: RunConfig, loader: FaceLoader, replicas: int) -> ProfileFacts:
    cores = usable_cores()
    return ProfileFacts(
        loader.cache,
        remedy="disk" if config.data.cache == "auto" else "auto",
        workers=config.data.workers or cores,
        cores=cores,
        accelerated=bool(accelerators()),
        replicas=replicas,
    )


def profile_text(seconds: dict[str, float], epochs: int, made: float, facts: ProfileFacts) -> str:
    """Return the table and the advice of a profile.

    Args:
        seconds: of `PARTS` and of callbacks by name.
        epochs: number of epochs that they are of.
        made: seconds of processor time that making batches took.
        facts: of the run.

    Returns:
        Markdown, which is readable as it stands.
    """
    named = {part: seconds[part] for part in PARTS}
    named["callbacks"] = sum(seconds.values()) - sum(named.values())
    start = named.pop("start")  # it comes once, and of a short run it is most
    whole = max(sum(named.values()), 1e-9)
    shares = {part: value / whole for part, value in named.items()}
    idle = made < _BUSY * named["input"] * min(facts.workers, facts.cores)
    advice = _advice(shares, _dearest(seconds), min(made / (whole * facts.cores), 1.0), facts, idle=idle)
    lines = [
        f"Where the time of {epochs} epoch{'s' * (epochs != 1)} went: {whole:.1f} s, after {start:.1f} s of building, tracing "
        "and first batches.",
        "",
        "| part | share | s per epoch | what it is |",
        "|---|---:|---:|---|",
        *(
            f"| {part} | {shares[part]:.0%} | {named[part] / max(epochs, 1):.2f} | {meaning} |"
            for part, meaning in _MEANING.items()
        ),
        "",
        *_remarks(facts),
        *(f"- {text}" for text in advice),
    ]
    return "\n".join(lines) + "\n"


def _dearest(seconds: dict[str, float]) -> str:
    """Return the name of the callback that took most."""
    return max((name for name in seconds if name not in PARTS), key=seconds.__getitem__, default="")


def _remarks(facts: ProfileFacts) -> Iterator[str]:
    if facts.replicas > 1:
        yield "- On several devices, waiting for batches and metrics cannot be told from the step: both are counted there."


def _advice(shares: dict[str, float], dearest: str, making: float, facts: ProfileFacts, *, idle: bool) -> Iterator[str]:
    """Yield a sentence for each part that takes more than it should; without any, the step is the limit."""
    found = [
        *(_input_advice(shares["input"], facts, idle=idle) if shares["input"] >= 0.1 else ()),
        *(_making_advice(making, facts) if making >= 0.25 and not facts.accelerated else ()),
        *(text for part, (limit, text) in _PLAIN.items() if shares[part] >= limit),
    ]
    if shares["callbacks"] >= 0.05:
        found.append(_callback_advice(dearest))
    yield from found or ["Nothing but the step takes much: " + _STEP]
    if found and shares["step"] >= 0.5:
        yield f"The step itself takes {shares['step']:.0%}: {_STEP}"


_STEP = (
    "a smaller --image-size or --backbone makes it faster, on a GPU --mixed-precision float16, --xla and a larger "
    "--batch-size."
)
#: part -> the share from which on this is said of it, and what.
_PLAIN = {
    "metrics": (
        0.05,
        "The metrics are computed once per step: a larger --batch-size or fewer --outputs make them cheaper.",
    ),
    "validation": (
        0.25,
        "Validation takes much of each epoch: hold out fewer faces (--validation-fraction, where the data has no "
        "validation split of its own).",
    ),
    "checkpoint": (
        0.05,
        "Writing the run's state takes long: put --output-dir on a local disk and copy the finished run.",
    ),
}


def _input_advice(share: float, facts: ProfileFacts, *, idle: bool) -> Iterator[str]:
    text = f"The input takes {share:.0%}, in which the step waits for batches: "
    if idle and facts.cache != "memory":
        yield (
            f"{text}the processor is idle meanwhile, so files come slowly, as from a network drive. Write the data as shards "
            f"(python -m fer_keras.prepare --image-format jpeg), or read more files at a time (--workers "
            f"{max(8 * facts.cores, 2 * facts.workers)}, {facts.workers} now)."
        )
    elif facts.workers < facts.cores:
        yield f"{text}--workers {facts.cores} makes more of them at a time, one per core ({facts.workers} now)."
    if facts.cache == "none":
        yield (
            f"{text}--cache {facts.remedy} decodes each face once, not in every epoch. From a slow disk or a network drive, write "
            "the data as shards first (python -m fer_keras.prepare)."
        )
    else:
        yield (
            f"{text}faces are cached ({facts.cache}) after the first epoch, in which they are read and decoded; in later "
            "ones only augmentation is left. Switch off what you do not need (--blur 0, --jpeg 0, --noise 0 --hue 0)."
        )


def _making_advice(making: float, facts: ProfileFacts) -> Iterator[str]:
    text = f"Making batches takes {making:.0%} of the processor's time, which the step then lacks: "
    yield text + (
        f"keep decoded faces (--cache {facts.remedy})."
        if facts.cache == "none"
        else "change faces less (--blur 0, --jpeg 0)."
    )


def _callback_advice(dearest: str) -> str:
    text = f"Of the callbacks {dearest} takes most"
    return text + (": leave --tensorboard out." if dearest == "TensorBoard" else ".")
