// Where pictures come from: cameras, photo files, video files.

/** Start a camera and let a video element play it. */
export async function startCamera(video, deviceId) {
  const size = { width: { ideal: 640 }, height: { ideal: 480 } };
  const choice = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" };
  video.srcObject = await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...size, ...choice } });
  await video.play();
}

/** Stop whatever a video element plays. */
export function stopVideo(video) {
  video.pause();
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  if (video.src) URL.revokeObjectURL(video.src);
  video.removeAttribute("src");
}

/** Return the cameras there are; their names are known once one was allowed. */
export async function listCameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter((device) => device.kind === "videoinput");
}

/** Let a video element play a file. */
export async function startVideoFile(video, file) {
  video.src = URL.createObjectURL(file);
  await video.play();
}

/** Decode a photo, turned as its EXIF asks, with the file's own colours as the package takes them. */
export function decodePhoto(file) {
  return createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
}

const scratch = document.createElement("canvas");

/** Return the pixels of a photo or of the frame that a video shows. */
export function pixelsOf(image) {
  const [width, height] = [image.videoWidth ?? image.width, image.videoHeight ?? image.height];
  if (scratch.width !== width || scratch.height !== height) [scratch.width, scratch.height] = [width, height];
  const pen = scratch.getContext("2d", { willReadFrequently: true });
  pen.drawImage(image, 0, 0);
  return pen.getImageData(0, 0, width, height);
}
