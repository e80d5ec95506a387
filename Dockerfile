# The runtime's image: strategy-run with uvloop, for a strategy that is mounted or copied to /app.
#
#   docker build -t strategy-runtime:0.1 .
#   docker run --rm --read-only -v "$PWD:/app:ro" -e PROXY_WS_URL -e PROXY_REST_URL -e SUBSCRIPTIONS \
#       strategy-runtime:0.1 bot:SmaCross

# A release names it by digest, so that it is the same one next time.
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/venv \
    UV_PYTHON_DOWNLOADS=never

RUN pip install uv==0.13.9

WORKDIR /src
# Dependencies first: this layer stays as it is while only the package changes. The lock file has the
# hash of each.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --extra metrics --extra uvloop --no-install-project
COPY LICENSE README.md ./
COPY templates ./templates
COPY strategy_runtime ./strategy_runtime
RUN uv sync --frozen --no-dev --extra metrics --extra uvloop --no-editable


FROM ${PYTHON}

LABEL org.opencontainers.image.title="strategy-runtime" \
      org.opencontainers.image.description="Runs one trading strategy against a Trading API proxy" \
      org.opencontainers.image.licenses="Apache-2.0"

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1 \
    PYTHONUNBUFFERED=1 \
    OPS_PORT=8090

COPY --from=build /opt/venv /opt/venv

WORKDIR /app
# Numeric, so that Kubernetes can check runAsNonRoot.
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s CMD ["strategy-run", "--healthcheck"]

# Exec form: Python is process 1 and gets SIGTERM itself.
ENTRYPOINT ["strategy-run"]
CMD ["--help"]
