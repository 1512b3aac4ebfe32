# A server for one exported model on ONNX Runtime, without TensorFlow.
#
#   python -m fer_keras.export --model runs/x --formats onnx --output-dir out/
#   docker build -t fer_keras .
#   docker run --rm -p 127.0.0.1:8000:8000 -v $PWD/out:/model:ro fer_keras
#
# Before others reach the port: -e FER_KERAS_TOKEN, an HTTPS proxy, and --allowed-host NAME behind fer_keras; see
# docs/live-and-server.md.
#
# YuNet's file finds more faces than the Haar cascade: put it beside the model and add
#   -e FER_KERAS_YUNET=/model/face_detection_yunet_2026may.onnx
FROM python:3.12-slim

WORKDIR /app
# What reading needs, and the extra `serve` of setup.cfg; TensorFlow is left out.
COPY requirements-reading.txt ./
RUN pip install --no-cache-dir -r requirements-reading.txt \
    "fastapi>=0.120.1" "starlette>=0.49.1" "pydantic>=2.7" "uvicorn>=0.29" "python-multipart>=0.0.18" \
    "prometheus-client>=0.20"

COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY fer_keras ./fer_keras
COPY data_specs ./data_specs
COPY saved_models ./saved_models
RUN pip install --no-cache-dir --no-deps . && useradd --no-create-home server
USER server
WORKDIR /

EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
# Within the container it must listen to all addresses; publish the port to 127.0.0.1 as above, or behind a proxy.
ENTRYPOINT ["python", "-m", "fer_keras.serve", "--model", "/model", "--engine", "onnx", "--host", "0.0.0.0"]
