#!/usr/bin/env bash
# A Kubernetes of one machine: `node.sh PROGRAMS FOLDER PARTS`, as the first process of namespaces of its own
# (mount, network, process): ports, interfaces, rules and mounts are its own and end with it. PARTS is `api` (an API
# server alone), `controllers` (which make pods, that nothing runs) or `node` (also scheduler, kubelet, containerd,
# Services and names). Ends, with a sentence, when one of its programs ends.
set -euo pipefail
programs=$1
folder=$2
parts=$3
address=10.76.0.1
cgroup=dolium-kubernetes
export PATH=$programs:$PATH
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

fail() {
  echo "$1" >&2
  exit 1
}

# start NAME COMMAND...: in the background, with a log of its own.
declare -A name_of
start() {
  local name=$1
  shift
  "$@" >"$folder/$name.log" 2>&1 </dev/null &
  name_of[$!]=$name
}

# until_works WHAT COMMAND...: within five minutes, while all programs run.
until_works() {
  local what=$1 tries=0
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || fail "$what: not within five minutes"
    check_programs
    sleep 0.5
  done
}

check_programs() {
  local pid
  for pid in "${!name_of[@]}"; do
    kill -0 "$pid" 2>/dev/null || fail "${name_of[$pid]} ended: $(tail -n 5 "$folder/${name_of[$pid]}.log")"
  done
}

isolate() {
  mount -t tmpfs tmpfs /run
  mkdir -p /run/containerd /run/netns
  ip link set lo up
  ip link add node0 type veth peer name node1
  ip addr add $address/24 dev node0
  ip link set node0 up
  ip link set node1 up
  ip route add default via 10.76.0.254 dev node0
}

# Tokens are names: nobody but the tests reaches these ports.
write_users() {
  cat >"$folder/tokens.csv" <<-END
	admin,admin,admin,system:masters
	scheduler,system:kube-scheduler,scheduler
	controllers,system:kube-controller-manager,controllers
	proxy,system:kube-proxy,proxy
	kubelet,system:node:node-1,kubelet,system:nodes
	END
  local user
  for user in admin scheduler controllers proxy kubelet; do
    cat >"$folder/$user.conf" <<-END
	apiVersion: v1
	kind: Config
	clusters: [{name: here, cluster: {server: "https://$address:6443", insecure-skip-tls-verify: true}}]
	users: [{name: $user, user: {token: $user}}]
	contexts: [{name: here, context: {cluster: here, user: $user}}]
	current-context: here
	END
  done
  openssl genrsa -out "$folder/accounts.key" 2048 2>/dev/null
}

start_api() {
  start etcd etcd --data-dir "$folder/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster default=http://127.0.0.1:2380
  until_works etcd curl -fsS http://127.0.0.1:2379/health
  start kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 \
    --advertise-address $address --bind-address 0.0.0.0 --secure-port 6443 --cert-dir "$folder/apiserver" \
    --kubelet-preferred-address-types InternalIP \
    --service-cluster-ip-range 10.75.0.0/24 --authorization-mode Node,RBAC --allow-privileged=true \
    --token-auth-file "$folder/tokens.csv" --enable-admission-plugins NodeRestriction \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --service-account-key-file "$folder/accounts.key" --service-account-signing-key-file "$folder/accounts.key"
  until_works kube-apiserver curl -fsSk https://$address:6443/readyz
}

start_controllers() {
  start kube-controller-manager kube-controller-manager --kubeconfig "$folder/controllers.conf" \
    --leader-elect=false --use-service-account-credentials --root-ca-file "$folder/apiserver/apiserver.crt" \
    --service-account-private-key-file "$folder/accounts.key" --node-monitor-grace-period 5m \
    --cert-dir "$folder/controllers"
}

# A group of our own in every hierarchy, so that whoever started this can remove what the kubelet leaves.
make_cgroups() {
  [ "$(stat -f -c %T /sys/fs/cgroup)" = tmpfs ] || {
    mkdir -p "/sys/fs/cgroup/$cgroup"
    return
  }
  local hierarchy
  for hierarchy in /sys/fs/cgroup/*/; do
    [ "$hierarchy" != /sys/fs/cgroup/unified/ ] || continue
    mkdir -p "$hierarchy$cgroup"
  done
  local file
  for file in cpuset.cpus cpuset.mems; do
    cat "/sys/fs/cgroup/cpuset/$file" >"/sys/fs/cgroup/cpuset/$cgroup/$file"
  done
  [ -z "${KUBERNETES_CPU_SHARES:-}" ] || echo "$KUBERNETES_CPU_SHARES" >"/sys/fs/cgroup/cpu/$cgroup/cpu.shares"
}

start_containerd() {
  mkdir -p "$folder/cni"
  cat >"$folder/cni/pods.conflist" <<-END
	{"cniVersion": "1.0.0", "name": "pods", "plugins": [
	  {"type": "bridge", "bridge": "pods0", "isGateway": true, "hairpinMode": true,
	   "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": "10.77.0.0/24"}]],
	            "routes": [{"dst": "0.0.0.0/0"}]}},
	  {"type": "portmap", "capabilities": {"portMappings": true}}]}
	END
  cat >"$folder/containerd.toml" <<-END
	version = 2
	root = "$folder/containerd"
	state = "/run/containerd/state"
	[grpc]
	address = "/run/containerd/containerd.sock"
	[plugins."io.containerd.grpc.v1.cri"]
	sandbox_image = "dolium.test/pause:1"
	restrict_oom_score_adj = true
	[plugins."io.containerd.grpc.v1.cri".cni]
	bin_dir = "$programs"
	conf_dir = "$folder/cni"
	END
  start containerd containerd --config "$folder/containerd.toml"
  until_works containerd ctr version
  local image
  for image in "$folder"/images/*.tar; do
    ctr -n k8s.io images import "$image" >>"$folder/images.log" 2>&1 || fail "$image: $(tail -n 3 "$folder/images.log")"
  done
}

# Settings of the kernel are the machine's: the kubelet would change them. It finds them as it wants them, in files.
protect_kernel_settings() {
  local settings setting
  for settings in /proc/sys/kernel /proc/sys/vm; do
    mount --bind $settings $settings
    mount -o remount,bind,ro $settings
  done
  mkdir "$folder/settings"
  for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    settings=${setting%=*}
    echo "${setting#*=}" >"$folder/settings/${settings##*/}"
    mount --bind "$folder/settings/${settings##*/}" "/proc/sys/$settings"
  done
}

start_kubelet() {
  cat >"$folder/kubelet.yaml" <<-END
	apiVersion: kubelet.config.k8s.io/v1beta1
	kind: KubeletConfiguration
	authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
	authorization: {mode: AlwaysAllow}
	cgroupDriver: cgroupfs
	cgroupRoot: /$cgroup
	enforceNodeAllocatable: []
	failCgroupV1: false
	failSwapOn: false
	makeIPTablesUtilChains: false
	containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
	clusterDomain: cluster.local
	clusterDNS: [$address]
	resolvConf: ""
	evictionHard: {memory.available: "0%", nodefs.available: "0%", imagefs.available: "0%", nodefs.inodesFree: "0%"}
	imageGCHighThresholdPercent: 100
	maxPods: 60
	END
  start kubelet kubelet --config "$folder/kubelet.yaml" --kubeconfig "$folder/kubelet.conf" \
    --hostname-override node-1 --node-ip $address --root-dir "$folder/kubelet" --cert-dir "$folder/kubelet-pki" \
    --node-labels topology.kubernetes.io/zone=here
}

start_node() {
  make_cgroups
  start_containerd
  sysctl -q -w net.ipv4.ip_forward=1
  sysctl -q -w net.bridge.bridge-nf-call-iptables=1 || true
  start kube-scheduler kube-scheduler --kubeconfig "$folder/scheduler.conf" --leader-elect=false \
    --cert-dir "$folder/scheduler"
  cat >"$folder/Corefile" <<-END
	.:53 {
	  bind $address
	  errors
	  ready $address:8181
	  kubernetes cluster.local {
	    kubeconfig $folder/admin.conf
	    pods insecure
	  }
	  cache 5
	}
	END
  start coredns coredns -conf "$folder/Corefile"
  # Names of Services are known beside the pods too.
  echo "nameserver $address" >"$folder/resolv.conf"
  mount --bind "$folder/resolv.conf" "$(realpath /etc/resolv.conf)"
  protect_kernel_settings
  start_kubelet
  # It asks for the address of its node once.
  until_works "the node" node_has_address
  start kube-proxy kube-proxy --kubeconfig "$folder/proxy.conf" --hostname-override node-1 \
    --proxy-mode "${KUBERNETES_PROXY_MODE:-iptables}" --cluster-cidr 10.77.0.0/24 --conntrack-max-per-core 0 \
    --conntrack-tcp-timeout-established 0s --conntrack-tcp-timeout-close-wait 0s
}

node_has_address() {
  curl -fsSk -H 'Authorization: Bearer admin' https://$address:6443/api/v1/nodes/node-1 | grep -q InternalIP
}

isolate
write_users
start_api
[ "$parts" = api ] || start_controllers
[ "$parts" != node ] || start_node
touch "$folder/started"
wait -n "${!name_of[@]}" || true
check_programs
