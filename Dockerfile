# Handrail in a container: the pinned packages, a user of its own, one volume for everything it keeps.
#   docker build -t handrail .
#   docker run -p 127.0.0.1:7860:7860 -e HANDRAIL_TOKEN=choose-one -v handrail:/data handrail
# A real arm needs its serial ports and cameras too: --device /dev/ttyACM0 --device /dev/video0
FROM python:3.12-slim-bookworm

# EGL draws the simulator's cameras without a screen; the rest is what OpenCV and MuJoCo link to.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libegl1 libgl1-mesa-dri libglib2.0-0 libgomp1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /handrail
COPY requirements.txt ./
RUN pip install --no-cache-dir uv \
    && uv pip install --system --no-cache --compile-bytecode -r requirements.txt

RUN useradd --create-home --uid 1000 handrail && install -d -o handrail /data
COPY --chown=handrail alembic.ini pyproject.toml ./
COPY --chown=handrail migrations migrations
COPY --chown=handrail configs configs
COPY --chown=handrail backend backend
COPY --chown=handrail app app
RUN python -m compileall -q app backend

USER handrail
ENV MUJOCO_GL=egl PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/api/health', timeout=4)"]
# A container must bind beyond loopback to be reached, so it refuses to start without HANDRAIL_TOKEN.
ENTRYPOINT ["python", "-m", "app", "--host", "0.0.0.0", "--data-dir", "/data"]
