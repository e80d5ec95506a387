# A runtime image: strategy-run with uvloop, for one strategy mounted or copied to /app.
#
#   docker build -t strategy-runtime .
#   docker run --rm -v "$PWD:/app:ro" -e PROXY_WS_URL -e PROXY_REST_URL -e SUBSCRIPTIONS \
#       strategy-runtime bot:SmaCross

FROM python:3.11-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/venv \
    UV_PYTHON_DOWNLOADS=never

RUN pip install "uv>=0.9"

WORKDIR /src
# Dependencies first: this layer stays as it is while only the package changes.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --extra uvloop --no-install-project
COPY LICENSE README.md ./
COPY strategy_runtime ./strategy_runtime
RUN uv sync --frozen --no-dev --extra uvloop --no-editable


FROM python:3.11-slim-bookworm

LABEL org.opencontainers.image.title="strategy-runtime" \
      org.opencontainers.image.description="Runs one trading strategy against a Trading API proxy" \
      org.opencontainers.image.licenses="Apache-2.0"

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1 \
    PYTHONUNBUFFERED=1

COPY --from=build /opt/venv /opt/venv

WORKDIR /app
# Numeric, so that Kubernetes can check runAsNonRoot.
USER 10001:10001
STOPSIGNAL SIGTERM

# Exec form: Python is process 1 and gets SIGTERM itself.
ENTRYPOINT ["strategy-run"]
CMD ["--help"]
