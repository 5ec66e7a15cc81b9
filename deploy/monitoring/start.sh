#!/bin/sh
# Starts Prometheus with the token of /metrics from $METRICS_TOKEN, which its settings file cannot read.
set -eu
umask 077
printf %s "${METRICS_TOKEN:?run deploy/new-env.sh}" > /tmp/token
exec /bin/prometheus --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/prometheus \
    --storage.tsdb.retention.time=30d
