"""Serve a model over HTTP: send an image, get its faces with emotion, valence and arousal.

python -m fer_keras.serve --model out/ --engine onnx
curl --data-binary @photo.jpg -H "Content-Type: image/jpeg" http://127.0.0.1:8000/faces

/faces, /faces/batch, /health, /version, /metrics (Prometheus), /docs (OpenAPI), /v2 (Open Inference Protocol). Needs
pip install "fer_keras[serve]". There are no passwords: it listens to this machine only unless --host says otherwise.
"""

import sys
from dataclasses import dataclass, field

from fer_keras.cli import Parser, run_cli
from fer_keras.config.service import Address, check_packages
from fer_keras.config.settings import Settings, add_flags, setting, settings_from
from fer_keras.faces.reader_options import NOT_LIVE, ReaderOptions
from fer_keras.server.limits import Joining, Limits

_NEEDED = ("fastapi", "uvicorn", "multipart", "prometheus_client")


@dataclass(frozen=True)
class Access(Settings):
    """Who may use the server from a web page."""

    cors_origin: str = setting(
        "",
        "origins of web pages whose scripts may read the answers, with commas between them, such as https://example.org; * "
        "for any",
        metavar="URL",
    )


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
    from fer_keras.faces.face_reader import FaceReader

    reader = FaceReader.of(config)
    import logging

    import uvicorn

    from fer_keras.server.server import build_app

    host, port = config.address.host, config.address.port
    if host not in ("127.0.0.1", "::1", "localhost"):
        print(f"warning: everyone who reaches {host} may use this server", file=sys.stderr)
    print(f"http://{host}:{port}/docs", file=sys.stderr, flush=True)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # broken forms are answered with 422
    origins = [origin.strip() for origin in config.access.cors_origin.split(",") if origin.strip()]
    app = build_app(reader, config.limits, config.joining.batch_wait / 1000, origins=origins)
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, timeout_keep_alive=10)
    return 0


if __name__ == "__main__":
    sys.exit(main())
