"""Serve a model over HTTP: send an image, get its faces with emotion, valence and arousal.

python -m fer_keras.serve --model out/ --engine onnx
curl --data-binary @photo.jpg -H "Content-Type: image/jpeg" http://127.0.0.1:8000/faces

/faces, /faces/batch, /health, /version, /metrics (Prometheus), /docs (OpenAPI), /v2 (Open Inference Protocol). Needs
pip install "fer_keras[serve]". There are no passwords: it listens to this machine only unless --host says otherwise.
"""

import sys

from fer_keras.cli import Parser, run_cli
from fer_keras.faces.arguments import (
    add_address_arguments,
    add_face_arguments,
    add_model_arguments,
    check_service,
    load_reader,
)

_NEEDED = ("fastapi", "uvicorn", "multipart", "prometheus_client")


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.serve", description=__doc__)
    add_model_arguments(parser)
    add_address_arguments(parser, 8000)
    parser.add_argument("--max-megabytes", type=float, default=16, help="of a request (default: 16)")
    parser.add_argument("--max-megapixels", type=float, default=40, help="of an image (default: 40)")
    parser.add_argument("--max-images", type=int, default=32, help="in one request (default: 32)")
    parser.add_argument("--max-seconds", type=float, default=20, help="for a request (default: 20)")
    parser.add_argument(
        "--batch-wait", type=float, default=4, metavar="MS", help="wait so long for requests to join (default: 4)"
    )
    add_face_arguments(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_serve, build_parser().parse_args(argv))


def _serve(args) -> int:
    check_service(args, "serve", _NEEDED)
    if not args.batch_wait >= 0:
        raise ValueError(f"--batch-wait expects 0 or more. Received: {args.batch_wait}.")
    from fer_keras.server.uploads import Limits

    limits = Limits(args.max_megabytes, args.max_megapixels, args.max_images, args.max_seconds)
    reader = load_reader(args)
    import logging

    import uvicorn

    from fer_keras.server.server import build_app

    if args.host not in ("127.0.0.1", "::1", "localhost"):
        print(f"warning: everyone who reaches {args.host} may use this server", file=sys.stderr)
    print(f"http://{args.host}:{args.port}/docs", file=sys.stderr, flush=True)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # broken forms are answered with 422
    app = build_app(reader, limits, args.batch_wait / 1000)
    uvicorn.run(app, host=args.host, port=args.port, log_level="warning", access_log=False, timeout_keep_alive=10)
    return 0


if __name__ == "__main__":
    sys.exit(main())
