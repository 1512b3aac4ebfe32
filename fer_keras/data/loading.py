"""Loading the face index of a data set, or of several joined, and choosing from it what a run trains on."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from fer_keras.config.run_config import DataConfig
from fer_keras.data.circumplex import derive_axes
from fer_keras.data.classes import choose_classes
from fer_keras.data.index import FaceIndex
from fer_keras.data.index_building import build_index
from fer_keras.data.several import join_indexes, parse_sets
from fer_keras.data.splits import assign_splits, limit_samples
from fer_keras.files import cache_folder
from fer_keras.labels import OUTPUTS
from fer_keras.readers.reader_table import get_reader
from fer_keras.readers.spec import DataSpec


def load_index(
    spec: DataSpec, data_dir: str | Path, cache_dir: str | Path | None = None, jobs: int | None = None
) -> FaceIndex:
    """Return the face index of a data set, from the cache unless its files have changed.

    Args:
        spec: the data spec.
        data_dir: the data set's folder, or its file for readers of a single file.
        cache_dir: where indexes are cached; default: `fer_keras.files.cache_folder()`.
        jobs: processes that read annotations; default: one per core.

    Returns:
        The index with the splits that the files have; `fer_keras.data.splits.assign_splits` makes the others.

    Raises:
        FileNotFoundError: `data_dir` does not exist.
        ValueError: it holds no faces, or none that can be used; the message says why.
    """
    from fer_keras.data.index_cache import index_path, listing_key, read_index, write_index

    root = Path(data_dir).expanduser()
    if not root.exists():
        raise FileNotFoundError(f"No data there. Expected the folder of {spec.name}. Received: --data-dir {data_dir}.")
    root, reader = root.resolve(), get_reader(spec.reader)
    listing = reader.list_files(spec, root)
    path = index_path(Path(cache_dir or cache_folder()), spec, root)
    if path.exists():
        with ThreadPoolExecutor(1) as aside:  # the cache is read while processes look at the files
            states = aside.submit(reader.list_states, root, listing, jobs)
            kept = read_index(path, spec, root)
            states = states.result()
        if kept and kept[0] == listing_key(spec, listing, states):
            return kept[1]
        del kept, states
    raw = reader.read_rows(spec, root, listing, jobs)
    index, key = build_index(spec, root, raw), listing_key(spec, listing, raw.states)
    del raw, listing  # of a million files they are as large as the index without its landmarks
    write_index(path, index, key)
    return index


def load_faces(data: DataConfig | str, data_dir: str | None = None, **settings) -> FaceIndex:
    """Return the index of a data set, or of several joined, with every face in a split.

    Args:
        data: a configuration's group `data`; or name or path of a spec, or several with commas between them.
        data_dir: where the files are, one place for each spec; default: that of `data`. `synthetic` needs none: its faces
            are drawn into the cache.
        **settings: other settings of `DataConfig`: `validation_fraction`, `test_fraction` and `split_seed` (see
            `assign_splits`), `derive_va` (see `derive_axes`), `emotions` (see `choose_classes`).

    Raises:
        ValueError: no data_dir, no usable faces, data from which nothing can be derived, or classes that it does not have.
        FileNotFoundError: no such folder.
    """
    if data_dir is not None:
        settings["data_dir"] = data_dir
    config = DataConfig.of(data, **settings)
    parts = parse_sets(config.data_spec, config.data_dir)
    parts = _filtered(parts, config.label_filter)
    sets = [load_index(spec, resolve_data_dir(spec, place)) for spec, place in parts]
    sets = [assign_splits(part, config.validation_fraction, config.test_fraction, config.split_seed) for part in sets]
    index = sets[0] if len(sets) == 1 else join_indexes(sets)
    index = derive_axes(index) if config.derive_va == "circumplex" else index
    return choose_classes(index, config.emotions)


def _filtered(parts: list[tuple[DataSpec, str | None]], chosen: str | None) -> list[tuple[DataSpec, str | None]]:
    """Return the data sets with `label_filter` in the specs of those that have annotators' votes.

    Raises:
        ValueError: none of them has.
    """
    if chosen is None:
        return parts
    if not any(spec.reader == "ferplus" for spec, _ in parts):
        names = ", ".join(spec.name for spec, _ in parts)
        raise ValueError(f"--label-filter expects a FER+ data set, which has annotators' votes. Received: {names}.")
    return [
        (replace(spec, options={**spec.options, "label_filter": chosen}) if spec.reader == "ferplus" else spec, place)
        for spec, place in parts
    ]


def resolve_data_dir(spec: DataSpec, data_dir: str | None) -> Path:
    """Return the data set's place; `synthetic` without one is drawn into the cache first."""
    if data_dir is not None:
        return Path(data_dir)
    if spec.name != "synthetic":
        home = f" Home page: {spec.homepage}" if spec.homepage else ""
        raise ValueError(f"{spec.name} expects --data-dir, its folder on this machine.{home}")
    from fer_keras.synthetic.dataset import DRAWING_VERSION, write_synthetic

    return write_synthetic(cache_folder() / f"synthetic-v{DRAWING_VERSION}")


def choose_outputs(outputs: str | None, spec: DataSpec) -> tuple[str, ...]:
    """Return the outputs that a model is to have, in the package's order.

    Args:
        outputs: some of `OUTPUTS` with commas between; default: all that the data labels.
        spec: of the data.

    Raises:
        ValueError: other names, or outputs that the data does not label.
    """
    if outputs is None:
        return spec.targets
    asked = {name.strip() for name in outputs.split(",")}
    if not asked <= set(OUTPUTS):
        raise ValueError(f"--outputs expects some of {', '.join(OUTPUTS)}. Received: {outputs!r}.")
    if not asked <= set(spec.targets):
        raise ValueError(
            f"--outputs expects some of what {spec.name} labels: {', '.join(spec.targets)}. Received: {outputs!r}."
        )
    return tuple(name for name in OUTPUTS if name in asked)


def training_index(index: FaceIndex, config: DataConfig) -> FaceIndex:
    """Return the training faces, at most `max_samples` of them, drawn with the seed of the splits."""
    return limit_samples(index.of_split("train"), config.max_samples, config.split_seed)
