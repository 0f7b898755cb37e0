#!/bin/sh
# A PostgreSQL server for the tests alone. `postgres.sh start FOLDER` creates a cluster in FOLDER, starts its server and
# prints the address of its socket in FOLDER. The server also listens on a loopback port, with TLS (FOLDER/server.crt).
# `postgres.sh stop FOLDER` stops it. Durability is off: the tests kill our processes, not the server.
set -eu

programs() {
    for folder in $(dirname "$(command -v initdb || echo /-/-)") /usr/lib/postgresql/*/bin; do
        if [ -x "$folder/initdb" ]; then
            echo "$folder"
            return
        fi
    done
    echo "tests/postgres.sh: please install PostgreSQL 15 or later; only its programs are used" >&2
    exit 5
}

# PostgreSQL refuses to run as root.
unprivileged() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; else "$@"; fi
}

bin=$(programs)
folder=${2:?"usage: postgres.sh start|stop FOLDER"}
case ${1:?} in
start)
    mkdir -p "$folder"
    if [ "$(id -u)" = 0 ]; then chown nobody:nogroup "$folder"; fi
    # A locale that sorts differently from bytes, so that no test passes by chance: the store names its collation
    # itself.
    unprivileged "$bin/initdb" --pgdata="$folder/data" --username=erp --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
        --locale-provider=icu --icu-locale=en-US --no-sync >/dev/null
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -addext basicConstraints=critical,CA:FALSE \
        -keyout "$folder/server.key" -out "$folder/server.crt" 2>/dev/null
    chmod 600 "$folder/server.key"
    if [ "$(id -u)" = 0 ]; then chown nobody:nogroup "$folder/server.key"; fi
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    unprivileged "$bin/pg_ctl" --pgdata="$folder/data" --silent --wait --log="$folder/log" --options="-k $folder -p $port -c listen_addresses=127.0.0.1 \
        -c ssl=on -c ssl_cert_file=$folder/server.crt -c ssl_key_file=$folder/server.key \
        -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=256MB \
        -c max_pred_locks_per_transaction=256" start
    echo "postgres://erp@$(printf %s "$folder" | sed 's,/,%2F,g'):$port/postgres"
    ;;
stop)
    unprivileged "$bin/pg_ctl" --pgdata="$folder/data" --silent --mode=immediate stop
    ;;
*)
    echo "usage: postgres.sh start|stop FOLDER" >&2
    exit 2
    ;;
esac
