#!/bin/sh
# Makes a CA and certificates of Redis and PostgreSQL for compose.multi-host.yml and systemd (docs/hosts.md): `new-certificates.sh DIR [NAME…]`.
# NAME: DNS names of the host of the services, beside `services`. As root, keys get the owners that the images expect.
set -eu
folder=$1
shift
names=DNS:services
for name in "$@"; do names="$names,DNS:$name"; done

umask 077
mkdir -p "$folder"
cd "$folder"
chmod 755 .

# openssl draws dots on stderr while it makes a key
quietly() { "$@" 2> log || { cat log >&2; exit 1; }; rm log; }
new_key() { quietly openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

new_key ca.key
quietly openssl req -x509 -key ca.key -days 3650 -subj "/CN=Waybill CA" -addext keyUsage=critical,keyCertSign -out ca.pem
printf 'subjectAltName=%s\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' "$names" > extensions
for service in redis postgres; do
    new_key "$service.key"
    quietly openssl req -new -key "$service.key" -subj "/CN=services" -out request
    quietly openssl x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 825 -extfile extensions \
        -out "$service.pem"
done
rm request extensions
chmod 644 ./*.pem
# the users of the images
[ "$(id -u)" != 0 ] || { chown 999:1000 redis.key && chown 70:70 postgres.key; }
echo "$folder: keep ca.key away from all hosts; hosts of workers need ca.pem only" >&2
