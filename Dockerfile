# The image of web, worker, beat and migrate: same code, same packages, another command each.

FROM python:3.11-slim AS packages
COPY requirements/run.txt /tmp/run.txt
# Every file is checked against its hash: a changed package stops the build.
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r /tmp/run.txt

# pg_dump and pg_restore of the server's own version, for manage.py backup and restore.
FROM postgres:18 AS postgres
COPY docker/postgres_tools.sh /tmp/postgres_tools.sh
RUN sh /tmp/postgres_tools.sh /usr/lib/postgresql/18/bin /opt/postgresql

FROM python:3.11-slim
ENV PATH=/opt/venv/bin:/opt/postgresql/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PORTAL_ENV=production \
    DJANGO_SETTINGS_MODULE=portal.settings \
    MEDIA_ROOT=/srv/media
RUN useradd --system --uid 10001 --home-dir /srv/portal --shell /usr/sbin/nologin portal \
    && install --directory --owner portal /srv/media /srv/backups /srv/state
COPY --from=packages /opt/venv /opt/venv
COPY --from=postgres /opt/postgresql /opt/postgresql
WORKDIR /srv/portal
COPY . .
# Static files are gathered, compressed and named by their content once, here. The values below
# only let the settings load; they stay in this line and reach neither the image nor a server.
RUN SECRET_KEY=build NIR_KEYS=build ALLOWED_HOSTS=build EMAIL_URL=smtp://build PORTAL_CONTACT_EMAIL=build@build \
    DATABASE_URL=postgres://build/build REDIS_URL=redis://build PORTAL_BASE_URL=https://build \
    python manage.py collectstatic --noinput \
    && python -m compileall -q .
USER portal
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["python", "docker/health.py"]
# One blocking thread a worker measured best; GRANIAN_WORKERS sets their number (docs/operations.md).
ENV GRANIAN_WORKERS=2
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", \
     "--blocking-threads", "1", "--no-ws", "--respawn-failed-workers", "--workers-kill-timeout", "30", \
     "portal.wsgi:application"]
