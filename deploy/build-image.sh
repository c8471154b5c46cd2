#!/usr/bin/env bash
# Builds the image of this checkout, or of an earlier revision of it: build-image.sh [TAG [REVISION]]. The program is
# bundled here, with the packages that are installed here; docker needs no network but for its base images.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
tag=${1:-dolium:latest}
revision=${2:-}
export PATH=$root/node_modules/.bin:$PATH

if [ -n "$revision" ]; then
  # Its services, packed by today's deploy folder.
  tree=$(mktemp -d)
  trap 'rm -rf "$tree"' EXIT
  git archive "$revision" services proto package.json package-lock.json LICENSE | tar -x -C "$tree"
  mkdir -p "$tree/deploy"
  cp deploy/Dockerfile deploy/*.sh deploy/*.ts "$tree/deploy/"
  cp .dockerignore "$tree/"
  ln -s "$root/node_modules" "$tree/node_modules"
  mkdir -p "$tree/services/console"
  cp -R services/console/dist "$tree/services/console/"
  cd "$tree"
fi
[ -f services/console/dist/index.html ] || node services/console/build.ts
node deploy/bundle.ts deploy/.bundle
docker build --file deploy/Dockerfile --tag "$tag" . >&2
docker image inspect --format "$tag: {{.Size}} bytes" "$tag"
