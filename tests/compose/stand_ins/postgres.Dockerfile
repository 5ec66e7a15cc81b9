# In place of postgres:17-alpine; Debian 12 has PostgreSQL 15.
FROM waybill-test/debian:bookworm
RUN groupadd --gid 70 postgres \
    && useradd --uid 70 --gid 70 postgres \
    && apt-get update \
    && apt-get install -y --no-install-recommends postgresql-15 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && ln -sf /usr/lib/postgresql/*/bin/* /usr/local/bin/ \
    && install -d -o 70 -g 70 -m 0700 /var/lib/postgresql/data
COPY postgres.sh /postgres.sh
ENTRYPOINT ["sh", "/postgres.sh"]
