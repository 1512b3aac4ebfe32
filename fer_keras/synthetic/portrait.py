"""Drawing one parametric face with OpenCV: identity, expression and scene in, RGB image and its 68 landmarks out.

The landmarks are the points that the drawing itself uses, after pose, so they are exact. Emotions are not known here but in
`fer_keras.synthetic.dataset`.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from fer_keras.synthetic.canvas import SHIFT, SUPERSAMPLING, Canvas, fixed
from fer_keras.synthetic.face_shape import Expression, Pose, Shape, face_landmarks, smooth

_SKIN = np.array(
    [(250, 224, 200), (241, 205, 175), (226, 180, 143), (198, 146, 108), (160, 108, 76), (112, 74, 53)], np.float64
)
_HAIR = np.array(
    [(30, 24, 22), (62, 40, 28), (105, 70, 40), (190, 150, 90), (150, 80, 45), (165, 165, 168)], np.float64
)
_IRIS = np.array([(60, 38, 24), (92, 62, 36), (70, 105, 130), (82, 112, 72)], np.float64)
_MOUTH, _TEETH, _EYEBALL = np.array((66, 22, 26)), np.array((240, 234, 222)), np.array((243, 241, 238))


@dataclass(frozen=True)
class Look:
    """Colours (RGB, 0..255) and attributes of an identity."""

    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    lips: np.ndarray
    clothes: np.ndarray
    brow_width: float
    hair_style: int  # 0 bald, 1 short, 2 long
    hairline: np.ndarray  # (5,) offsets
    beard: float  # 0 none to 0.6
    glasses: bool


@dataclass(frozen=True)
class Scene:
    """Everything that is neither identity nor expression."""

    gaze: np.ndarray  # (2,) face units
    light: np.ndarray  # (2,) direction the light comes from, x right and y down, length below 1
    contrast: float
    gain: np.ndarray  # (3,) gain of each colour channel
    background: np.ndarray  # (3, 3, 3) colours, smoothly interpolated
    blur: float  # standard deviation in 96ths of the image
    noise: float  # standard deviation in grey levels
    grey: bool


@dataclass(frozen=True)
class Portrait:
    """What one drawing shows: an identity (shape and look), its expression, its pose, and the scene around it."""

    shape: Shape
    look: Look
    expression: Expression
    pose: Pose
    scene: Scene


def random_look(rng: np.random.Generator) -> Look:
    """Draw colours and attributes."""
    skin = _between(_SKIN, rng) + rng.normal(0.0, 4.0, 3)
    hair = _HAIR[rng.integers(len(_HAIR))] * rng.uniform(0.75, 1.2)
    if skin.mean() < 130:
        hair = hair * 0.45
    redness = rng.uniform(0.25, 0.6)
    return Look(
        skin=skin,
        hair=hair,
        iris=_IRIS[rng.integers(len(_IRIS))],
        lips=skin * (1.0 - redness) + np.array((0.74, 0.36, 0.36)) * redness * skin.mean() * 1.25,
        clothes=rng.uniform(20, 220, 3),
        brow_width=rng.uniform(0.05, 0.09),
        hair_style=int(rng.choice(3, p=(0.1, 0.5, 0.4))),
        hairline=rng.uniform(-0.12, 0.12, 5),
        beard=max(0.0, rng.uniform(-2.0, 0.6)),
        glasses=bool(rng.random() < 0.1),
    )


def random_scene(rng: np.random.Generator) -> Scene:
    """Draw light, background and camera."""
    angle, amount = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.0, 0.65)
    return Scene(
        gaze=rng.normal(0.0, (0.025, 0.01)),
        light=amount * np.array((np.cos(angle), 0.7 * np.sin(angle) - 0.3)),
        contrast=rng.uniform(0.3, 0.6),
        gain=rng.uniform(0.78, 1.12) * rng.normal(1.0, 0.035, 3),
        background=rng.uniform(15, 240, 3) + rng.normal(0.0, 22.0, (3, 3, 3)),
        blur=rng.uniform(0.0, 0.8),
        noise=rng.uniform(0.5, 5.0),
        grey=bool(rng.random() < 0.06),
    )


def render_face(rng: np.random.Generator, portrait: Portrait, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a face.

    Args:
        rng: source of the pixel noise.
        portrait: what to draw.
        size: side of the image in pixels.

    Returns:
        The image, (size, size, 3) uint8 RGB, and the landmarks, (68, 2) float64 pixels x, y with (0, 0) the centre of
        the first pixel; landmarks can lie outside the frame.
    """
    landmarks = portrait.pose.project(face_landmarks(portrait.shape, portrait.expression))
    canvas = Canvas(size, portrait.pose, portrait.scene.background)
    marks = canvas.finer(landmarks)
    _draw_behind(canvas, portrait.shape, portrait.look)
    _draw_head(canvas, marks, portrait.shape, portrait.look)
    _draw_shadows(canvas, marks, portrait.expression, portrait.scene)
    _draw_folds(canvas, marks, portrait.look, portrait.expression)
    _draw_openings(canvas, marks, portrait)
    _draw_features(canvas, marks, portrait.look)
    return _photograph(rng, canvas.pixels, portrait.pose, portrait.scene), landmarks


def _between(palette: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    place = rng.uniform(0.0, len(palette) - 1.0)
    low = int(place)
    return palette[low] + (place - low) * (palette[low + 1] - palette[low])


def _arc(half_width: float, top: float, bottom: float = 0.0) -> np.ndarray:
    """From the image's right ear over the top to the left one, in face coordinates."""
    angle = np.linspace(0.0, np.pi, 15)
    return np.column_stack([half_width * np.cos(angle), bottom - (bottom - top) * np.sin(angle) ** 0.9])


def _draw_behind(canvas: Canvas, shape: Shape, look: Look) -> None:
    """Long hair, shoulders, neck and ears."""
    width = shape.width
    if look.hair_style == 2:
        lower = [(-1.3 * width, 0.7), (-1.2 * width, 1.75), (1.2 * width, 1.75), (1.3 * width, 0.7)]
        canvas.fill(canvas.place(np.concatenate([_arc(1.25 * width, -1.6), lower])), look.hair * 0.8)
    shoulders = [(-2.2, 3.2), (-1.9, 2.1), (-0.7, 1.75), (0.7, 1.75), (1.9, 2.1), (2.2, 3.2)]
    canvas.fill(canvas.place(shoulders, -0.6), look.clothes)
    canvas.fill(canvas.place([(-0.55, 0.8), (0.55, 0.8), (0.6, 2.0), (0.0, 2.3), (-0.6, 2.0)], -0.4), look.skin * 0.78)
    for ear in canvas.place([(-1.02 * width, 0.18), (1.02 * width, 0.18)], -0.3):
        canvas.disc(ear, 0.17, look.skin * 0.86)


def _draw_head(canvas: Canvas, marks: np.ndarray, shape: Shape, look: Look) -> None:
    """The skin, the beard and the hair on top."""
    forehead = canvas.place(_arc(shape.width, -1.3)[1:-1])
    canvas.fill(np.concatenate([smooth(marks[:17]), forehead]), look.skin)
    if look.beard:
        cheeks = canvas.place([(0.62, 0.75), (0.3, 0.76), (-0.3, 0.76), (-0.62, 0.75)])
        canvas.fill(np.concatenate([marks[2:15], cheeks]), look.skin + look.beard * (look.hair - look.skin))
    if look.hair_style:
        x = np.array([1.02, 0.78, 0.1, -0.78, -1.02]) * shape.width
        line = np.column_stack([x, np.array([-0.3, -0.78, -0.98, -0.78, -0.3]) + look.hairline])
        top = _arc(1.1 * shape.width, -1.52, -0.3)
        canvas.fill(np.concatenate([canvas.place(top), smooth(canvas.place(line[::-1]))]), look.hair)


def _draw_shadows(canvas: Canvas, marks: np.ndarray, expression: Expression, scene: Scene) -> None:
    """Soft shading of the skin by one blurred map: sockets, nose, cheeks, under the lips and along the jaw."""
    shrink = 4
    shade = np.full((canvas.side // shrink, canvas.side // shrink), 128, np.uint8)
    points, unit = marks / shrink, canvas.unit / shrink

    def blob(centre: np.ndarray, radii: tuple[float, float], value: float) -> None:
        centre, axes = fixed(centre).tolist(), fixed(np.multiply(radii, unit)).tolist()
        cv2.ellipse(shade, centre, axes, np.rad2deg(canvas.pose.roll), 0, 360, value, -1, cv2.LINE_8, SHIFT)

    cv2.polylines(shade, [fixed(points[:17])], False, 96, max(1, round(0.16 * unit)), cv2.LINE_8, SHIFT)
    pulls = expression.corner_pulls()
    for side, (eye, corner, wing) in enumerate(((slice(36, 42), 48, 31), (slice(42, 48), 54, 35))):
        blob(points[eye].mean(0), (0.28, 0.2), 110)
        cheek = points[eye].mean(0) * 0.45 + points[corner] * 0.55
        blob(cheek, (0.24, 0.17), 134 + 14 * min(1.0, pulls[side] + 0.5 * expression.lid_tighten))
        if (scene.light[0] > 0) == (side == 0):
            cv2.fillPoly(shade, [fixed(points[[27, 30, wing]])], 104, cv2.LINE_8, SHIFT)
    cv2.polylines(shade, [fixed(points[[28, 30]])], False, 150, max(1, round(0.09 * unit)), cv2.LINE_8, SHIFT)
    blob(points[33] + (0.0, 0.05 * unit), (0.17, 0.06), 100)
    blob(points[57] + (0.0, 0.08 * unit), (0.2, 0.06), 102)
    shade = cv2.GaussianBlur(shade, (0, 0), max(0.6, 0.07 * unit))
    shade = cv2.resize(shade, (canvas.side, canvas.side), interpolation=cv2.INTER_LINEAR)
    canvas.pixels = cv2.multiply(canvas.pixels, cv2.merge([shade] * 3), scale=1.0 / 128.0)


def _draw_folds(canvas: Canvas, marks: np.ndarray, look: Look, expression: Expression) -> None:
    """Wrinkles that come with the expression: beside the mouth, on the nose, between the brows, on the forehead."""
    e = expression

    def fold(points: np.ndarray, strength: float, width: float = 0.03) -> None:
        if strength > 0.2:
            canvas.line(smooth(np.asarray(points)), look.skin * (0.92 - 0.42 * min(1.0, strength)), width)

    nose = marks[27] - marks[30]
    for wing, corner, brow, pull in zip((31, 35), (48, 54), (21, 22), e.corner_pulls(), strict=True):
        start = marks[wing] + (marks[wing] - marks[33]) * 0.3 + nose * 0.08
        end = marks[corner] + (marks[wing] - marks[33]) * 0.75 - nose * 0.22
        middle = start * 0.45 + end * 0.55 + (marks[wing] - marks[33]) * 0.35
        fold([start, middle, end], max(pull, e.nose_wrinkle) * 0.7)
        inward = (marks[43 - brow] - marks[brow]) * 0.3
        fold([marks[brow] + inward, marks[brow] + inward - nose * 0.28], e.brow_lower)
        for step in (0.12, 0.32, 0.52):
            middle = marks[27] - nose * step
            side = (marks[wing] - marks[33]) * 0.75
            fold([middle + side + nose * 0.1, middle + side * 0.3], e.nose_wrinkle, 0.035)
    raised = min(e.inner_brow_raise, e.outer_brow_raise + 0.25)
    for step in (0.35, 0.55):
        fold(marks[[18, 20, 23, 25]] + nose * step, raised * 0.7)
    chin = marks[8] * 0.5 + marks[57] * 0.5
    fold([chin - (marks[35] - marks[33]), chin + 0.1 * nose, chin + (marks[35] - marks[33])], e.chin_raise * 0.7)


def _draw_openings(canvas: Canvas, marks: np.ndarray, portrait: Portrait) -> None:
    """Lips, then eyeballs and the mouth's inside, clipped to the lids and the inner lips."""
    shape, look, expression, scene = portrait.shape, portrait.look, portrait.expression, portrait.scene
    canvas.fill(np.concatenate([smooth(marks[48:55]), smooth(marks[[54, 55, 56, 57, 58, 59, 48]])]), look.lips)
    inside, mask = canvas.pixels.copy(), np.zeros(canvas.pixels.shape[:2], np.uint8)
    along = np.array((np.cos(canvas.pose.roll), np.sin(canvas.pose.roll)))
    across = np.array((-along[1], along[0]))
    for eye in (marks[36:42], marks[42:48]):
        outline = np.concatenate([smooth(eye[:4]), smooth(eye[[3, 4, 5, 0]])])
        canvas.fill(outline, np.array((255, 255, 255)), mask)
        canvas.disc(eye.mean(0), 0.4, _EYEBALL * (0.8 + 0.2 * min(1.0, look.skin.mean() / 200)), inside)
        centre = (eye[0] + eye[3]) / 2 + canvas.unit * (scene.gaze[0] * along + (scene.gaze[1] - 0.02) * across)
        canvas.disc(centre, 0.108 * shape.eye_size, look.iris * 1.1, inside)
        canvas.disc(centre, 0.05 * shape.eye_size, np.array((14, 12, 12)), inside)
        canvas.disc(centre + canvas.unit * 0.04 * (scene.light - 0.3), 0.022, np.array((250, 250, 250)), inside)
    upper, lower = smooth(marks[60:65]), smooth(marks[[64, 65, 66, 67, 60]])
    canvas.fill(np.concatenate([upper, lower]), np.array((255, 255, 255)), mask)
    canvas.fill(np.concatenate([upper, lower]), _MOUTH, inside)
    gap = float(np.linalg.norm(marks[66] - marks[62])) / canvas.unit
    bared = 0.1 + expression.corner_pull + expression.upper_lip_raise + 0.8 * expression.lip_stretch
    teeth = min(0.16, gap) * min(1.0, bared)
    canvas.fill(np.concatenate([upper, upper[::-1] + across * teeth * canvas.unit]), _TEETH * 0.95, inside)
    cv2.copyTo(inside, mask, canvas.pixels)
    if gap < 0.06:
        canvas.line(np.concatenate([marks[48:49], (upper + lower[::-1]) / 2, marks[54:55]]), look.lips * 0.45, 0.03)


def _draw_features(canvas: Canvas, marks: np.ndarray, look: Look) -> None:
    """Lids, brows, nose and glasses."""
    dark = look.skin * 0.3
    for eye in (marks[36:42], marks[42:48]):
        canvas.line(smooth(eye[:4]), dark, 0.04)
        canvas.line(smooth(eye[[3, 4, 5, 0]]), look.skin * 0.62, 0.02)
    for brow in (marks[17:22], marks[26:21:-1]):
        canvas.line(smooth(brow), look.hair * 0.8, look.brow_width)
        canvas.line(smooth(brow[2:]), look.hair * 0.75, look.brow_width * 1.35)
    canvas.line(smooth(marks[31:36]), look.skin * 0.62, 0.03)
    for wing, inner in ((31, 32), (35, 34)):
        canvas.disc(marks[inner] * 0.75 + marks[wing] * 0.25, 0.035, look.skin * 0.35)
    if look.glasses:
        lenses = [eye.mean(0) for eye in (marks[36:42], marks[42:48])]
        angle = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
        ring = np.column_stack([np.cos(angle) * 0.34, np.sin(angle) * 0.27]) * canvas.unit
        for lens in lenses:
            canvas.line(ring + lens, look.hair * 0.4, 0.035, closed=True)
        bridge = (lenses[1] - lenses[0]) * 0.12
        canvas.line(sum(lenses) / 2 + np.array([-bridge, bridge]), look.hair * 0.4, 0.03)


def _photograph(rng: np.random.Generator, pixels: np.ndarray, pose: Pose, scene: Scene) -> np.ndarray:
    """Light from one side on an ellipsoid, then the camera: blur, gain, noise, sometimes no colour."""
    size = len(pixels) // SUPERSAMPLING
    image = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
    if scene.blur > 0.2:
        image = cv2.GaussianBlur(image, (0, 0), scene.blur * size / 96)
    if scene.grey:
        image = cv2.merge([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)] * 3)
    pixel = np.arange(size, dtype=np.float32)
    x = (pixel[None, :] - np.float32(pose.centre[0])) * np.float32(1.0 / pose.scale)
    y = (pixel[:, None] - np.float32(pose.centre[1])) * np.float32(0.7 / pose.scale) - np.float32(0.1)
    frontal = np.float32(np.sqrt(1.0 - scene.light @ scene.light))
    toward = x * np.float32(scene.light[0]) + y * np.float32(scene.light[1]) + frontal
    lit = np.maximum(toward / np.sqrt(x * x + y * y + np.float32(1.0)), np.float32(0.0))
    light = np.float32(1.0 - scene.contrast) + np.float32(scene.contrast * 1.3) * lit
    light = cv2.merge([light * np.float32(gain) for gain in scene.gain])
    grain = np.frombuffer(rng.bytes(size * size), np.int8).reshape(size, size) * np.float32(scene.noise / 73.9)
    lighted = cv2.multiply(image, light, dtype=cv2.CV_32F)
    return cv2.add(lighted, cv2.merge([grain] * 3), dtype=cv2.CV_8U)
