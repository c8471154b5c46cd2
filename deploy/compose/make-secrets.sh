#!/bin/sh
# Makes what the processes of a cluster share, once: make-secrets.sh FOLDER. Files that are there stay, but a root
# password that is given goes before. Group 0 may read them: every process of the image is in it.
set -eu
umask 027
cd "$1"
random() { od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n'; }
write() {
  printf '%s' "$2" >"$1.new"
  mv "$1.new" "$1"
}
[ -s cluster-secret ] || write cluster-secret "$(random 32)"
[ -s cluster-key ] || write cluster-key "$(random 32)"
[ -s root-password ] || write root-password "$(random 20)"
[ -z "${DOLIUM_ROOT_PASSWORD:-}" ] || write root-password "$DOLIUM_ROOT_PASSWORD"
