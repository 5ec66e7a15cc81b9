#!/bin/sh
# Prints an .env for docker-compose.yml with new random passwords:  (umask 077; deploy/new-env.sh > .env)
set -eu

password() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

echo "POSTGRES_PASSWORD=$(password)"
for user in EMBED ROUTE JUDGE DISPATCH UPKEEP FLOWER CLI SCALER METRICS; do
    echo "REDIS_${user}_PASSWORD=$(password)"
done
# for the profile `monitoring`
echo "METRICS_TOKEN=$(password)"
echo "GRAFANA_PASSWORD=$(password)"
echo "GRAFANA_POSTGRES_PASSWORD=$(password)"
echo "FLOWER_AUTH=waybill:$(password)"
