"""Show a page in the browser: live camera, photos and videos, with emotion, valence and arousal of each face.

python -m fer_keras.app --model runs/latest
python -m fer_keras.app --model out/ --model runs/other --port 8502

Needs pip install "fer_keras[app]". The page is for this machine only unless --host says otherwise; browsers give a camera to
pages of this machine or over HTTPS only. Frames are not stored and do not leave this machine. Where browser and server are
in different networks, name STUN and TURN servers by --ice-servers or $FER_KERAS_ICE_SERVERS, for example
'[{"urls": ["turn:turn.example.org"], "username": "me", "credential": "secret"}]'.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from fer_keras.cli import Parser, run_cli
from fer_keras.config.service import Address, check_packages
from fer_keras.config.settings import Settings, add_flags, setting, setting_like, settings_from
from fer_keras.faces.reader_options import FinderOptions

_NEEDED = ("streamlit", "streamlit_webrtc")
#: Of how faces are found, what the command offers; the page itself offers more.
_FINDER = ("detector", "detector_model")


@dataclass(frozen=True)
class PageAddress(Address):
    """Where the page is served."""

    port: int = setting_like(Address, "port", default=8501)


@dataclass(frozen=True)
class PageOptions(Settings):
    """What the page takes and whom it asks."""

    ice_servers: str | None = setting(None, "STUN and TURN servers; default: none", metavar="JSON")
    max_megabytes: int = setting(200, "largest file to upload, in megabytes", low=1)


@dataclass(frozen=True)
class PageConfig:
    """Everything that `app` can be asked for, but for the models."""

    address: PageAddress = field(default_factory=PageAddress)
    faces: FinderOptions = field(default_factory=FinderOptions)
    page: PageOptions = field(default_factory=PageOptions)


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.app", description=__doc__)
    parser.add_argument(
        "--model",
        action="append",
        metavar="RUN",
        help="as for predict; give it several times to choose from several models (default: the bundled model)",
    )
    hidden = tuple(item.name for item in FinderOptions.__dataclass_fields__.values() if item.name not in _FINDER)
    add_flags(parser, PageConfig, leave_out=hidden)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_app, build_parser().parse_args(argv))


def _app(args) -> int:
    check_packages("app", _NEEDED)
    config = settings_from(args, PageConfig)
    from fer_keras.bundled import bundled_model
    from fer_keras.prediction.model_choice import choose_model, model_names

    models = args.model or [str(bundled_model())]
    for model in models:
        for name in model_names(model):
            choose_model(name)  # a wrong path is told here, not on the page
    servers = config.page.ice_servers or os.environ.get("FER_KERAS_ICE_SERVERS") or "[]"
    _check_servers(servers)
    print(f"http://{config.address.host}:{config.address.port}", file=sys.stderr, flush=True)
    return _serve(_command(config, models), {**os.environ, "FER_KERAS_ICE_SERVERS": servers})


def _serve(command: list[str], environment: dict[str, str]) -> int:
    """Run the page's server in place of this process, so that whatever ends the command ends the server and frees its port."""
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(command[0], command, environment)  # returns only by an exception
    with subprocess.Popen(command, env=environment) as server:  # Windows cannot replace a process
        try:
            return server.wait()
        finally:
            server.terminate()


def _command(config: PageConfig, models: list[str]) -> list[str]:
    page = Path(__file__).parent / "page" / "streamlit_app.py"
    options = {
        "server.address": config.address.host,
        "server.port": config.address.port,
        "server.headless": "true",
        "server.maxUploadSize": config.page.max_megabytes,
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
    }
    command = [sys.executable, "-m", "fer_keras.page.streamlit_server", "run", str(page)]
    command += [f"--{name}={value}" for name, value in options.items()]
    command += ["--", f"--faces={config.faces.detector}", *(f"--model={model}" for model in models)]
    return command + ([f"--detector-model={config.faces.detector_model}"] if config.faces.detector_model else [])


def _check_servers(text: str) -> None:
    try:
        servers = json.loads(text)
        right = isinstance(servers, list) and all(isinstance(server, dict) and "urls" in server for server in servers)
    except ValueError:
        right = False
    if not right:
        raise ValueError(f'--ice-servers expects a JSON list of objects with "urls". Received: {text[:80]}.')


if __name__ == "__main__":
    sys.exit(main())
