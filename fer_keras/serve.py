"""Serve a model over HTTP: send an image, get its faces with emotion, valence and arousal.

python -m fer_keras.serve --model out/ --engine onnx
curl --data-binary @photo.jpg -H "Content-Type: image/jpeg" http://127.0.0.1:8000/faces

/faces, /faces/batch, /health, /version, /metrics (Prometheus), /docs (OpenAPI), /v2 (Open Inference Protocol). Needs
pip install "fer_keras[serve]". It listens to this machine only unless --host says otherwise; then give a token, by --token or
$FER_KERAS_TOKEN, and put a proxy that speaks HTTPS before it.
"""

import sys
from dataclasses import dataclass, field

from fer_keras.cli import Parser, run_cli
from fer_keras.config.service import Access, Address, check_packages
from fer_keras.config.settings import add_flags, settings_from
from fer_keras.faces.reader_options import NOT_LIVE, ReaderOptions
from fer_keras.server.limits import Joining, Limits

_NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")


@dataclass(frozen=True)
class ServeConfig(ReaderOptions):
    """Everything that `serve` can be asked for."""

    address: Address = field(default_factory=Address)
    limits: Limits = field(default_factory=Limits)
    joining: Joining = field(default_factory=Joining)
    access: Access = field(default_factory=Access)


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.serve", description=__doc__)
    add_flags(parser, ServeConfig, leave_out=NOT_LIVE)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_serve, build_parser().parse_args(argv))


def _serve(args) -> int:
    check_packages("serve", _NEEDED)
    config = settings_from(args, ServeConfig)
    token = config.access.secret()
    from fer_keras.server.connections import check_open_files, guarded

    check_open_files(config.limits.connections)
    from fer_keras.faces.face_reader import FaceReader

    reader = FaceReader.of(config)
    import logging

    import uvicorn

    from fer_keras.server.server import build_app

    _say(config.address, token)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # broken forms are answered with 422
    access, limits = config.access, config.limits
    hosts = access.hosts(config.address)
    app = build_app(
        reader, limits, config.joining.batch_wait / 1000, origins=access.origins(), hosts=hosts, token=token
    )
    uvicorn.run(
        app,
        host=config.address.host,
        port=config.address.port,
        http=guarded(limits),
        ws="none",
        # A line for every broken request would fill a disk.
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_keep_alive(limits),
        timeout_graceful_shutdown=max(1, round(limits.seconds)),
    )
    return 0


def _keep_alive(limits: Limits) -> int:
    """Return after how many seconds an idle connection is closed: before it would be broken off."""
    return max(1, min(10, round(0.9 * limits.header_seconds)))


def _say(address: Address, token: str | None) -> None:
    """Print where the server is, and what to know where others reach it."""
    if not address.is_local and token is None:
        print(
            f"warning: everyone who reaches {address.host} may use this server; --token asks for one", file=sys.stderr
        )
    elif not address.is_local:
        print("warning: images and the token go over the network unencrypted without an HTTPS proxy", file=sys.stderr)
    host = f"[{address.host}]" if ":" in address.host else address.host
    print(f"http://{host}:{address.port}/docs", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
