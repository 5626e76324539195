# The service as an image: `docker build -t authorizer .`
# With a Cerbos PDP inside, to run as a child process: `docker build --target with-pdp …`
#
#   docker run --read-only --tmpfs /tmp -p 8080:8080 \
#       -v ./authorizer.yaml:/etc/authorizer/authorizer.yaml:ro -v ./rules:/etc/authorizer/rules:ro \
#       authorizer serve --listen 0.0.0.0:8080
#
# Inside a container the service has to listen on an address that is not loopback. It refuses to do
# so in plain text: give it `server.tls`, or, where the network between Oathkeeper and this
# container is trusted (one pod, one mesh), say `server: {insecure_plaintext: true}`. Metrics stay on
# the container's own loopback, until `admin` says the same. docs/deploy.md has more.
#
# Base images are pinned by tag, not by digest: a digest names one platform's or one day's image,
# and would keep out the security fixes that the tag gets. To pin one, pass for example
# `--build-arg PYTHON_TAG=3.11-slim-bookworm@sha256:…`.
ARG PYTHON_TAG=3.11-slim-bookworm
ARG NODE_TAG=22-bookworm-slim

FROM python:${PYTHON_TAG} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/build.txt requirements/runtime.txt requirements/
# Everything from outside comes by hash. The environment that is shipped has no pip of its own.
RUN python -m venv /build \
    && /build/bin/pip install --require-hashes --only-binary :all: -r requirements/build.txt
RUN python -m venv --without-pip /opt/authorizer \
    && python -m pip --python /opt/authorizer/bin/python install \
        --no-compile --require-hashes --only-binary :all: -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY authorizer/ authorizer/
# Cerbos's package asks for gRPC's library and for a protobuf compiler; we use its messages, which
# need neither. The import at the end proves that nothing else does either. Byte code is made here, once, as nothing
# can be written later; `unchecked-hash` does not depend on time stamps that a copy may change.
RUN /build/bin/pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /dist . \
    && python -m pip --python /opt/authorizer/bin/python install \
        --no-compile --no-deps --no-index /dist/*.whl \
    && python -m pip --python /opt/authorizer/bin/python uninstall --yes \
        grpcio grpcio-status grpcio-tools setuptools \
    && /opt/authorizer/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash \
        /opt/authorizer/lib \
    && /opt/authorizer/bin/python -c "import authorizer.lint.run, authorizer.supervisor.supervise, authorizer.supervisor.work"

FROM node:${NODE_TAG} AS cerbos
WORKDIR /src
COPY tools/npm/package.json tools/npm/package-lock.json ./
# The lock holds the hash of Cerbos for Linux on x86-64; on another platform this fails.
RUN npm ci --ignore-scripts --no-audit --no-fund \
    && install -m 0755 node_modules/@cerbos/cerbos-linux-x64/cerbos-linux-x64 /usr/local/bin/cerbos

FROM python:${PYTHON_TAG} AS base
LABEL org.opencontainers.image.title="oathkeeper-cerbos-authorizer" \
      org.opencontainers.image.description="The remote authorizer that puts a Cerbos PDP behind Ory Oathkeeper" \
      org.opencontainers.image.licenses="Apache-2.0"
# Nothing here can install anything.
RUN python -m pip uninstall --yes --root-user-action ignore pip setuptools wheel \
    && rm -rf /usr/local/lib/python3.11/ensurepip
COPY --from=build /opt/authorizer /opt/authorizer
ENV PATH=/opt/authorizer/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# `authorizer.yaml` and `rules/` are looked for here. Only /tmp is ever written to, and only by the
# embedded PDP, for its socket: on a read-only root file system, mount a tmpfs there.
WORKDIR /etc/authorizer
# A number, so that Kubernetes can see (`runAsNonRoot`) that it is not root.
USER 65532:65532
EXPOSE 8080
# At the operators' listener, which speaks plain HTTP on loopback whatever the other one speaks.
# Not by urllib, which would go through a proxy that the environment names.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["python", "-IS", "-c", \
    "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8081, timeout=2); c.request('GET', '/health/alive'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["authorizer"]
CMD ["serve"]

FROM base AS with-pdp
COPY --from=cerbos /usr/local/bin/cerbos /usr/local/bin/cerbos

# The last stage is what is built without a --target.
FROM base AS authorizer
