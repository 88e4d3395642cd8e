# One image for every service of docker-compose.yml. Build: docker compose build
#   --build-arg TORCH_INDEX=<page of CUDA wheels>   for the GPU worker; empty takes the CPU build named in the lock
FROM python:3.11.14-slim-bookworm AS build
ARG PIP_FIND_LINKS=""
ARG TORCH_INDEX=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/llmmon
COPY requirements.lock pyproject.toml README.md LICENSE ./
# torch comes from its own index, in the build that fits the machine; everything else from the lock, by hash
RUN sed -n '/^uv==/,/[^\\]$/p' requirements.lock > uv.lock \
 && /opt/llmmon/bin/pip install --require-hashes -r uv.lock \
 && if [ -n "$TORCH_INDEX" ]; then \
        sed '/^torch==/,/[^\\]$/d' requirements.lock > image.lock \
        && /opt/llmmon/bin/pip install --index-url "$TORCH_INDEX" torch==2.13.0; \
    else cp requirements.lock image.lock; fi \
 && UV_FIND_LINKS="$PIP_FIND_LINKS" /opt/llmmon/bin/uv pip install --python /opt/llmmon/bin/python --require-hashes -r image.lock
COPY llmmon ./llmmon
COPY sql ./sql
RUN /opt/llmmon/bin/uv pip install --python /opt/llmmon/bin/python --no-deps --no-build-isolation .

FROM python:3.11.14-slim-bookworm
RUN groupadd --gid 50000 llmmon && useradd --uid 50000 --gid llmmon --create-home llmmon \
 && install -d -o llmmon -g llmmon /opt/airflow /opt/airflow/home /opt/airflow/logs /models
COPY --from=build /opt/llmmon /opt/llmmon
COPY --chown=root:root dags /opt/airflow/dags
COPY --chown=root:root plugins /opt/airflow/plugins
ENV PATH=/opt/llmmon/bin:$PATH \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/airflow/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/airflow/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False \
    LLMMON_CONFIG=/opt/airflow/dags/llmmon.production.toml \
    DO_NOT_TRACK=1 GX_ANALYTICS_ENABLED=false HF_HUB_DISABLE_TELEMETRY=1 PYTHONUNBUFFERED=1
WORKDIR /opt/airflow
USER 50000:50000
ENTRYPOINT ["airflow"]
CMD ["version"]
