#!/bin/sh
# Starts Redis with the users of users.acl: the password of user embed is $REDIS_EMBED_PASSWORD, and so on.
# Only hashes are written, to $STATE, which may be a tmpfs. Arguments are passed on to redis-server.
set -eu
umask 077
here=$(dirname "$0")
: "${STATE:=/run/redis}"

# Redis 7.0 (Debian 12) refuses a subcommand that it does not know; clients can do without it.
case "$(redis-server --version)" in *v=7.0.*) unknown='+client|setinfo' ;; *) unknown='+none|such' ;; esac

password_of() { printenv "REDIS_$(echo "$1" | tr '[:lower:]' '[:upper:]')_PASSWORD"; }

# Nobody can log in as `default`, which is off and has no password. But Redis replays its append-only file as this user,
# and would refuse every MULTI … EXEC in it without the rights.
echo "user default off resetpass allkeys allchannels +@all" > "$STATE/users.acl"
# Without -r, `read` joins the lines that end in a backslash.
# shellcheck disable=SC2162
sed "/^#/d; /^\$/d; s/$unknown//" "$here/users.acl" | while read _ name rules; do
    # Nobody needs this user without monitoring, and earlier .env files have no password for it.
    [ "$name" != metrics ] || [ -n "$(password_of metrics)" ] || continue
    password=$(password_of "$name") || { echo "start.sh: no password for user $name" >&2; exit 1; }
    hash=$(printf %s "$password" | sha256sum | cut -d ' ' -f 1)
    echo "user $name on #$hash $rules" >> "$STATE/users.acl"
done

exec redis-server "$here/redis.conf" --aclfile "$STATE/users.acl" "$@"
