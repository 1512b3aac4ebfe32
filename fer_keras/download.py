"""Download a data set that its owners give out freely, through your own account there.

python -m fer_keras.download --list
python -m fer_keras.download fer2013

FER2013 comes from Kaggle by the package kagglehub (pip install "fer_keras[download]") with the user's own token, after the
competition's rules were accepted on its page. What cannot be fetched is said in one line with what to do by hand.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fer_keras.cli import Parser, one_line, run_cli
from fer_keras.files import Output, check_folder, check_outputs
from fer_keras.hints import nearest


@dataclass(frozen=True)
class Download:
    """How a data set is fetched.

    Attributes:
        competition: Kaggle's name of the competition whose files hold it.
        file: the one of them that a reader takes.
        page: where a person gets it by hand.
        size: about how much is fetched, in words.
        command: how to train on it, with {path} for the file.
    """

    competition: str
    file: str
    page: str
    size: str
    command: str


#: Data spec -> how its data is fetched. AffectNet, FER+'s pixels and others are given out on request only.
DOWNLOADS = {
    "fer2013": Download(
        "challenges-in-representation-learning-facial-expression-recognition-challenge",
        "icml_face_data.csv",
        "https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge/data",
        "300 MB",
        "python -m fer_keras.train --data-spec fer2013 --data-dir {path} --backbone compact --output-dir runs/fer2013",
    ),
}


def download(name: str, output_dir: str | Path | None = None, *, overwrite: bool = False) -> Path:
    """Fetch a data set and return its file.

    Args:
        name: a key of `DOWNLOADS`.
        output_dir: where to put it; default: kagglehub's cache, where a second call finds it.
        overwrite: replace a file of the same name that lies in `output_dir`.

    Raises:
        ValueError: an unknown name, no kagglehub, a file that is there already, or a download that failed because there is no
            token, the rules were not accepted or there is no network; the message says what to do by hand.
    """
    if name not in DOWNLOADS:
        raise ValueError(
            f"Nothing to download under that name. Expected one of {', '.join(DOWNLOADS)}. Received: {name!r}."
            f"{nearest(name, DOWNLOADS)} Other data sets are given out on request only: see their home pages in data_specs."
        )
    entry = DOWNLOADS[name]
    if output_dir is not None:
        check_folder(output_dir, "--output-dir")
        check_outputs([Output(Path(output_dir) / entry.file, "--output-dir")], may_replace=lambda path: overwrite)
    fetch, by_hand = _competition_download(entry), f"By hand: fetch {entry.file} from {entry.page}"
    try:
        place = {} if output_dir is None else {"output_dir": str(output_dir)}
        found = Path(fetch(entry.competition, entry.file, **place))
    except Exception as error:  # kagglehub lets through what requests, its cache and the disk raise
        reason = one_line(error) or type(error).__name__
        raise ValueError(
            f"{name} could not be fetched from Kaggle: {reason}. It needs a network, your token in ~/.kaggle/kaggle.json or "
            f"$KAGGLE_API_TOKEN, and the rules accepted on that page. {by_hand}."
        ) from error
    if not found.is_file():
        raise ValueError(f"Kaggle's files of {name} hold no {entry.file}. Received: {found}. {by_hand}.")
    return found


def _competition_download(entry: Download) -> Callable[..., str]:
    try:
        from kagglehub import competition_download
    except ImportError as error:
        raise ValueError(
            "Downloading needs the package kagglehub: pip install 'fer_keras[download]'. Or by hand: fetch "
            f"{entry.file} from {entry.page} and give it as --data-dir."
        ) from error
    return competition_download


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.download", description=__doc__)
    parser.add_argument("name", nargs="?", metavar="NAME", help=f"data set: {', '.join(DOWNLOADS)}")
    parser.add_argument("--list", action="store_true", help="say what can be downloaded, from where and on which terms")
    parser.add_argument("--output-dir", metavar="DIR", help="where to put it; default: kagglehub's cache")
    parser.add_argument("--overwrite", action="store_true", help="replace the file of that name in --output-dir")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_download, build_parser().parse_args(argv))


def _download(args) -> int:
    from fer_keras.readers.spec import load_spec

    if args.list:
        for name, entry in DOWNLOADS.items():
            spec = load_spec(name)
            print(f"{name}  {spec.title}, about {entry.size}\n  from: {entry.page}\n  licence: {spec.licence}")
        return 0
    if args.name is None:
        raise ValueError(f"NAME expects one of {', '.join(DOWNLOADS)}. Received: nothing. --list says what they are.")
    path = download(args.name, args.output_dir, overwrite=args.overwrite)
    print(f"{path}\nlicence: {load_spec(args.name).licence}\nnext: {DOWNLOADS[args.name].command.format(path=path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
