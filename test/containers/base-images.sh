#!/usr/bin/env bash
# Makes stand-ins for the images that deploy/Dockerfile begins with, where no registry can be asked: the same
# Debian release out of its package archive, and this checkout's Node. Images that are there are left alone.
# Usage: base-images.sh (as root, with mmdebstrap, docker and an installed checkout).
set -euo pipefail
cd "$(dirname "$0")/../.."
debian=debian:bookworm-slim
node=$(sed -n 's/^ARG NODE_IMAGE=//p' deploy/Dockerfile)
has() { docker image inspect "$1" >/dev/null 2>&1; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! has "$debian" || ! has "$node"; then
  # Files only: nothing of Debian runs in it but a shell and the usual small programs.
  mmdebstrap --quiet --variant=extract --format=tar \
    --include=base-files,base-passwd,bash,coreutils,dash,findutils,grep,sed,hostname,login,util-linux \
    --include=debianutils,libc6,libc-bin,libstdc++6,libatomic1,tar,gzip,perl-base,dpkg,apt \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$folder/base.tar" http://deb.debian.org/debian >&2
  has "$debian" || docker import "$folder/base.tar" "$debian" >&2
fi
if ! has "$node"; then
  cp -L node_modules/node/bin/node "$folder/node"
  printf 'FROM %s\nCOPY node /usr/local/bin/node\n' "$debian" >"$folder/Dockerfile"
  rm -f "$folder/base.tar"
  docker build --quiet --tag "$node" "$folder" >&2
fi
