#!/usr/bin/env bash
# Builds what test/kubernetes runs into .ci/kubernetes: Kubernetes' own programs, etcd, CoreDNS, CNI plugins, the
# image of a pod's first process, and the definitions of kinds that are not Kubernetes' own. Everything comes from
# Go modules. The first time takes long (a quarter of an hour on four idle cores); what is built is not built again.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$PWD/.ci/kubernetes
go=$(command -v go || echo /usr/local/go/bin/go)
[ -x "$go" ] || {
  echo "no Go to build Kubernetes with" >&2
  exit 1
}
export CGO_ENABLED=0
mkdir -p "$target/images" "$target/crds"

cd test/kubernetes/programs
version=$("$go" list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=$(echo "$version" | cut -d. -f2)
names=k8s.io/component-base/version
flags="-s -w -X $names.gitVersion=$version -X $names.gitMajor=1 -X $names.gitMinor=$minor -X $names.gitTreeState=clean"

# build PROGRAM PACKAGE, of the module of this folder.
build() {
  [ -x "$target/$1" ] || {
    echo "$1" >&2
    nice -n 19 "$go" build -trimpath -ldflags "$flags" -o "$target/$1" "$2"
  }
}
kubernetes() {
  local program
  for program in "$@"; do
    build "$program" "k8s.io/kubernetes/cmd/$program"
  done
}
kubernetes kube-apiserver kube-controller-manager
build etcd go.etcd.io/etcd/server/v3
kubernetes kubelet kube-scheduler kube-proxy kubectl
plugins=github.com/containernetworking/plugins/plugins
build bridge $plugins/main/bridge
build loopback $plugins/main/loopback
build host-local $plugins/ipam/host-local
build portmap $plugins/meta/portmap
build pause ./pause
cd ../coredns
build coredns .

# The image of pause, as `docker save` would write it.
image=$target/images/pause.tar
if [ ! -f "$image" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  tar -C "$target" --owner 0 --group 0 -cf "$folder/layer.tar" pause
  layer=$(sha256sum "$folder/layer.tar" | cut -d' ' -f1)
  cat >"$folder/config.json" <<-END
	{"architecture": "$("$go" env GOARCH)", "os": "linux", "config": {"Entrypoint": ["/pause"], "User": "65535"},
	 "rootfs": {"type": "layers", "diff_ids": ["sha256:$layer"]}}
	END
  echo '[{"Config": "config.json", "RepoTags": ["dolium.test/pause:1"], "Layers": ["layer.tar"]}]' >"$folder/manifest.json"
  tar -C "$folder" -cf "$image.part" manifest.json config.json layer.tar
  mv "$image.part" "$image"
fi

# definitions MODULE@VERSION FILE...
definitions() {
  local folder file
  folder=$(cd / && "$go" mod download -json "$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  shift
  for file in "$@"; do
    install -m 0644 "$folder/$file" "$target/crds/"
  done
}
definitions sigs.k8s.io/gateway-api@v1.6.0 \
  config/crd/standard/gateway.networking.k8s.io_{httproutes,tlsroutes}.yaml
definitions github.com/cert-manager/cert-manager@v1.21.2 deploy/crds/cert-manager.io_certificates.yaml
definitions github.com/prometheus-operator/prometheus-operator@v0.85.0 \
  example/prometheus-operator-crd/monitoring.coreos.com_{podmonitors,prometheusrules}.yaml
echo "Kubernetes $version is in $target" >&2
