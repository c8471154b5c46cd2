#!/bin/sh
# The `dolium` command of the image. `minio server ...`, as MinIO's own image takes it, is understood too.
[ "${1:-}" = minio ] && shift
exec /opt/dolium/bin/node --disable-proto=delete --max-semi-space-size=1 /opt/dolium/services/cli/main.js "$@"
