# In place of redis:7.4-alpine; Debian 12 has Redis 7.0.
FROM waybill-test/debian:bookworm
RUN groupadd --gid 1000 redis \
    && useradd --uid 999 --gid 1000 redis \
    && apt-get update \
    && apt-get install -y --no-install-recommends redis-server \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && install -d -o 999 -g 1000 /data
WORKDIR /data
CMD ["redis-server"]
