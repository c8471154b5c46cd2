#!/bin/sh
# Lays out the files that the image adds to Debian: `image-root.sh BUNDLE TARGET`, run by the build stage. The
# server is started once, so that its compiled code is kept for every later start.
set -eu
bundle=$1
target=$2
node=$(command -v node)

# 1. The program, at the path where the image has it.
mkdir -p /opt
cp -R "$bundle" /opt/dolium
cp "$node" /opt/dolium/bin/node

# 2. Compiled code is found again by the path of its source, so the server runs where it will.
NODE_COMPILE_CACHE=/opt/dolium/compiled
DOLIUM_OPS__PORT=0
DOLIUM_S3__ADDRESS=127.0.0.1
export NODE_COMPILE_CACHE DOLIUM_OPS__PORT DOLIUM_S3__ADDRESS
data=$(mktemp -d)
/opt/dolium/bin/dolium server "$data" --s3-port 9000 --json >"$data.log" 2>&1 &
server=$!
tries=0
until grep -q '"event":"ready"' "$data.log"; do
  tries=$((tries + 1))
  if [ $tries -gt 600 ] || ! kill -0 $server 2>/dev/null; then
    cat "$data.log" >&2
    exit 1
  fi
  sleep 0.1
done
kill $server
wait $server
/opt/dolium/bin/dolium --help >"$data.log"
rm -rf "$data" "$data.log"
# Node looks for it in a folder that its user's number ends.
for folder in "$NODE_COMPILE_CACHE"/*-0; do
  mv "$folder" "${folder%-0}-1000"
done

# 3. All of it, and what the program wants of the system.
mkdir -p "$target/opt" "$target/usr/local/bin" "$target/usr/lib" "$target/data"
cp -R /opt/dolium "$target/opt/dolium"
# Node needs libatomic, which Debian slim lacks.
cp -L "$(ldd "$node" | sed -n 's/.*libatomic.so.1 => \([^ ]*\).*/\1/p')" "$target/usr/lib/libatomic.so.1"
ln -s /opt/dolium/bin/dolium "$target/usr/local/bin/dolium"
# Any user that is in group 0 may use a volume that begins as a copy of this folder.
chown 1000:0 "$target/data"
chmod 0770 "$target/data"
