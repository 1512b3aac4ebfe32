"""Requests that schemathesis makes from the server's own OpenAPI page, for some minutes; any answer that breaks it is a failure.

  pip install schemathesis
  python benchmarks/serve_fuzz.py --minutes 10
  python benchmarks/serve_fuzz.py --schemathesis other-environment/bin/schemathesis --model out/

Starts `python -m fer_keras.serve` on 127.0.0.1 and talks to nothing else. Requests are made to be right and to be wrong; the
statuses, kinds and fields of answers must be those that the page promises, and none may be a 500. Ends with the status of
schemathesis: 0 if it found nothing.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from serve_soak import free_port, resident, wait_for

_CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method,allow_header_conformance"
)


def main() -> int:
    """Start the server and schemathesis; print what it says and the server's memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--model", help="default: the bundled model")
    parser.add_argument("--schemathesis", default="schemathesis", help="the program; default: the one on the path")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    program = shutil.which(args.schemathesis)
    if program is None:
        parser.error(f"{args.schemathesis} is not there: pip install schemathesis")
    port = free_port()
    command = [sys.executable, "-m", "fer_keras.serve", "--port", str(port), "--max-megabytes", "2"]
    server = subprocess.Popen([*command, *(["--model", args.model] if args.model else [])], stderr=subprocess.DEVNULL)
    try:
        wait_for(port, server)
        before = resident(server.pid)
        page = f"http://127.0.0.1:{port}/openapi.json"
        limits = ["--max-time", str(round(60 * args.minutes)), "--seed", str(args.seed), "--continue-on-failure"]
        with tempfile.TemporaryDirectory() as folder:  # it keeps notes where it is started
            command = [
                str(Path(program).absolute()),
                "run",
                page,
                "--checks",
                _CHECKS,
                *limits,
                "--suppress-health-check",
                "all",
            ]
            done = subprocess.run(command, cwd=folder)
        if server.poll() is not None:
            print(f"the server ended with status {server.returncode}")
            return 1
        print(f"the server's memory: {before:.0f} MB before, {resident(server.pid):.0f} MB after")
        return done.returncode
    finally:
        server.terminate()
        server.wait(20)


if __name__ == "__main__":
    sys.exit(main())
