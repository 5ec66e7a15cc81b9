#!/bin/sh
# What the stand-in for the image of PostgreSQL does of the real one's start: a first start makes the database.
set -eu
bin=$(echo /usr/lib/postgresql/*/bin)
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" > /tmp/password
    "$bin/initdb" --pgdata "$PGDATA" --username "$POSTGRES_USER" --pwfile /tmp/password --auth scram-sha-256 --encoding UTF8
    rm /tmp/password
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    "$bin/pg_ctl" --pgdata "$PGDATA" --wait --options "-c listen_addresses=" start
    PGPASSWORD=$POSTGRES_PASSWORD "$bin/createdb" --username "$POSTGRES_USER" "$POSTGRES_DB"
    "$bin/pg_ctl" --pgdata "$PGDATA" --wait stop
fi
[ "${1:-}" != postgres ] || shift
exec "$bin/postgres" -D "$PGDATA" -c "listen_addresses=*" "$@"
