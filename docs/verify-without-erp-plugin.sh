#!/bin/sh
# Verifies an .erpx package with unzip, jq, openssl and sha256sum alone:
#   sh verify-without-erp-plugin.sh PACKAGE PUBLIC_KEY.pem
# A second implementation of what `erp-plugin verify` does with signature and digests. It does not
# judge the container's form, the manifest or the component.
set -eu
[ $# = 2 ] || { echo "usage: sh verify-without-erp-plugin.sh PACKAGE PUBLIC_KEY.pem" >&2; exit 2; }
package=$1 key=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

unzip -p "$package" META/release.dsse.json >"$work/envelope.json"
jq -r .payload "$work/envelope.json" | base64 -d >"$work/payload"
type=$(jq -r .payloadType "$work/envelope.json")

# DSSE's pre-authentication encoding: what the signature covers.
{ printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(wc -c <"$work/payload")"; cat "$work/payload"; } >"$work/signed"
keyid=sha256:$(openssl pkey -pubin -in "$key" -outform DER | sha256sum | cut -d' ' -f1)
jq -r --arg keyid "$keyid" '.signatures[] | select(.keyid == $keyid) | .sig' "$work/envelope.json" | base64 -d >"$work/signature"
[ -s "$work/signature" ] || { echo "no signature of $keyid" >&2; exit 1; }
openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in "$work/signed" -sigfile "$work/signature"

# Every file is one that was signed, and the other way round.
jq -r '.subject[] | "\(.digest.sha256)  \(.name)"' "$work/payload" | sort >"$work/stated"
unzip -Z1 "$package" | grep -v '^META/release.dsse.json$' | while read -r name; do
    printf '%s  %s\n' "$(unzip -p "$package" "$name" | sha256sum | cut -d' ' -f1)" "$name"
done | sort >"$work/found"
cmp "$work/stated" "$work/found"
echo "good: $(wc -l <"$work/found") files, signed by $keyid"
