# The image is the base image and the pinned packages, compiled; nothing that only the build needed is in it.
#
#   docker build --tag bellwire .
#   docker run --read-only --volume bellwire:/var/lib/bellwire --volume ./bellwire.yaml:/etc/bellwire/bellwire.yaml:ro bellwire
#
# A page that is to be seen from outside the container needs `web.listen: 0.0.0.0:9095` and `web.token_file`, and
# `--publish 9095:9095`. Stopping takes up to 10 s, which is also what `docker stop` waits.

ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# Packages first: they change seldom, so that a change in the source leaves this layer as it is.
COPY constraints.txt pyproject.toml ./
RUN python -m venv --without-pip /opt/bellwire \
 && pip install --constraint constraints.txt pip hatchling \
 && python -c 'import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]))' > requirements.txt \
 && pip --python /opt/bellwire/bin/python install --only-binary :all: --constraint constraints.txt --requirement requirements.txt

COPY README.md LICENSE ./
COPY src src
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && pip --python /opt/bellwire/bin/python install --no-deps dist/*.whl

FROM python:${PYTHON}-slim
# A fixed number, so that volumes and `runAsUser` can name it.
RUN groupadd --gid 10001 bellwire \
 && useradd --uid 10001 --gid bellwire --no-create-home --home-dir /var/lib/bellwire --shell /usr/sbin/nologin bellwire \
 && install --directory --owner bellwire --group bellwire --mode 0700 /var/lib/bellwire \
 && install --directory --mode 0755 /etc/bellwire
COPY --from=build /opt/bellwire /opt/bellwire

# Nothing but the state directory is written to, so that the root may be read-only.
ENV PATH=/opt/bellwire/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STATE_DIRECTORY=/var/lib/bellwire \
    BELLWIRE_CONFIG=/etc/bellwire/bellwire.yaml \
    HEALTH_URL=http://127.0.0.1:9095/-/healthy
VOLUME /var/lib/bellwire
WORKDIR /var/lib/bellwire
USER 10001:10001
EXPOSE 9095
STOPSIGNAL SIGTERM

# No proxy and no check of the certificate: it asks its own loopback. HEALTH_URL follows `web.listen` and `web.tls_config`.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, ssl, urllib.request as r; r.build_opener(r.ProxyHandler({}), r.HTTPSHandler(context=ssl._create_unverified_context())).open(os.environ['HEALTH_URL'], timeout=4)"]

ENTRYPOINT ["bellwire"]
CMD ["run", "--config", "/etc/bellwire/bellwire.yaml"]
