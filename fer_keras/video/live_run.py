"""A whole run of `webcam`: a camera or a video, a window or a file, and what it came to."""

import sys
from pathlib import Path

from fer_keras.faces.face_reader import FaceReader
from fer_keras.files import Output, check_folder, check_outputs
from fer_keras.video.live import Camera, LiveFaces
from fer_keras.video.video_options import LiveOptions
from fer_keras.video.window import KEYS, View, Window, run_live


def check_live(options: LiveOptions) -> None:
    """Refuse what cannot be shown, before a model is loaded.

    Raises:
        ValueError: settings that do not go together, or an output that is there already.
    """
    if options.camera is not None and options.source is not None:
        raise ValueError("--source is not allowed with --camera: name one of them.")
    if not options.window and not options.output:
        raise ValueError("--no-window goes with --output FILE: nothing would come of it otherwise.")
    if options.output:
        source = [options.source] if options.source else []
        output = Output(Path(options.output), "--output")
        check_outputs([output], source, may_replace=lambda path: options.overwrite)
    elif options.overwrite:
        raise ValueError("--overwrite goes with --output: it replaces the file there. Received: no --output.")
    check_folder(options.screenshots, "--screenshots")


def live_run(reader: FaceReader, options: LiveOptions) -> int:
    """Show a camera or a video with what is read in it, as asked, and print what it came to.

    Args:
        reader: finds and reads.
        options: see `LiveOptions`.

    Returns:
        The exit status of the command, 0.

    Raises:
        FileNotFoundError, ValueError: no such video, a camera that does not open, or no screen.
    """
    faces = LiveFaces(reader, options.smoothing)
    window = Window() if options.window else None
    named = options.source is not None
    camera = Camera(options.source if named else options.camera or 0, options.mirror and not named)
    if window:
        print(KEYS, file=sys.stderr)
    output = Path(options.output) if options.output else None
    try:
        view = View(screenshots=Path(options.screenshots))
        show = window.show if window else None
        run = run_live(camera, faces, view, show=show, output=output, seconds=options.seconds)
    finally:
        if window:
            window.close()
    rate = run.shown / run.seconds if run.seconds else 0.0
    print(f"{run.shown:,} frames in {run.seconds:.1f} s ({rate:.1f} per second), at most {run.faces:,} faces at once")
    if output and run.shown:
        print(f"video: {output}", file=sys.stderr)
    return 0
