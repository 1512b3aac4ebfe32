"""Show a page in the browser: live camera, photos and videos, with emotion, valence and arousal of each face.

python -m fer_keras.app --model runs/latest
python -m fer_keras.app --model out/ --model runs/other --port 8502

Needs pip install "fer_keras[app]". The page is for this machine only unless --host says otherwise; browsers give a camera to
pages of this machine or over HTTPS only. Frames are not stored and leave this machine nowhere. Where browser and server are
in different networks, name STUN and TURN servers by --ice-servers or $FER_KERAS_ICE_SERVERS, for example
'[{"urls": ["turn:turn.example.org"], "username": "me", "credential": "secret"}]'.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from fer_keras.cli import Parser, run_cli
from fer_keras.faces.arguments import add_address_arguments, check_service

_NEEDED = ("streamlit", "streamlit_webrtc")


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.app", description=__doc__)
    parser.add_argument(
        "--model",
        action="append",
        metavar="RUN",
        help="as for predict; give several to choose from (default: the model in the box)",
    )
    parser.add_argument("--faces", default="auto", metavar="HOW", help="detector to begin with (default: auto)")
    parser.add_argument("--detector-model", metavar="FILE", help="model file of yunet or mediapipe")
    add_address_arguments(parser, 8501)
    parser.add_argument("--ice-servers", metavar="JSON", help="STUN and TURN servers (default: none)")
    parser.add_argument("--max-megabytes", type=int, default=200, help="of an uploaded file (default: 200)")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_app, build_parser().parse_args(argv))


def _app(args) -> int:
    check_service(args, "app", _NEEDED)
    from fer_keras.prediction.model_choice import choose_model, shipped_model

    args.model = args.model or [str(shipped_model())]
    for model in args.model:
        choose_model(model)  # a wrong path is told here, not on the page
    servers = args.ice_servers or os.environ.get("FER_KERAS_ICE_SERVERS") or "[]"
    _check_servers(servers)
    print(f"http://{args.host}:{args.port}", file=sys.stderr, flush=True)
    return subprocess.call(_command(args), env={**os.environ, "FER_KERAS_ICE_SERVERS": servers})


def _command(args) -> list[str]:
    page = Path(__file__).parent / "page" / "streamlit_app.py"
    options = {
        "server.address": args.host,
        "server.port": args.port,
        "server.headless": "true",
        "server.maxUploadSize": args.max_megabytes,
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
    }
    command = [sys.executable, "-m", "streamlit", "run", str(page)]
    command += [f"--{name}={value}" for name, value in options.items()]
    command += ["--", f"--faces={args.faces}", *(f"--model={model}" for model in args.model)]
    return command + ([f"--detector-model={args.detector_model}"] if args.detector_model else [])


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
