# In place of prom/prometheus:v3.5.0; Debian 12 has Prometheus 2.42.
FROM waybill-test/debian:bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends busybox prometheus \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /etc/prometheus/* \
    && ln -s /bin/busybox /usr/local/bin/wget \
    && install -d -o 65534 -g 65534 /prometheus
