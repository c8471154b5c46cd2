{{/* Pods and containers: the same hardening, probes and environment for every role. */}}

{{- define "dolium.podSecurity" -}}
{{- if .Values.podSecurityContext }}
{{- toYaml .Values.podSecurityContext }}
{{- else }}
runAsNonRoot: true
{{- if not .Values.openshift }}
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
{{- end }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}
{{- end -}}

{{- define "dolium.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Three different questions; none of them asks a peer but "ready", which asks for the map. */}}
{{- define "dolium.probes" -}}
startupProbe:
  httpGet: {path: /health/started, port: {{ . }}}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /health/live, port: {{ . }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /health/ready, port: {{ . }}}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end -}}

{{/* Room for buffers and threads beside V8's heap, which knows nothing of the container's limit. */}}
{{- define "dolium.nodeOptions" -}}
{{- $memory := dig "limits" "memory" "" .resources -}}
{{- if $memory -}}
{{- $heap := max 64 (div (mul (int (include "dolium.mebibytes" $memory)) .root.Values.heapPercent) 100) -}}
- name: NODE_OPTIONS
  value: {{ printf "--max-old-space-size=%d" (int64 $heap) | quote }}
{{ end -}}
- name: UV_THREADPOOL_SIZE
  value: {{ .root.Values.threadPoolSize | quote }}
{{- end -}}

{{- define "dolium.rootEnv" -}}
- name: DOLIUM_ROOT_USER_FILE
  value: /etc/dolium/root/rootUser
- name: DOLIUM_ROOT_PASSWORD_FILE
  value: /etc/dolium/root/rootPassword
{{- end -}}

{{/* root, role, zone (of storage: drives, campus, rack), resources, extraEnv. */}}
{{- define "dolium.container" -}}
{{- $root := .root -}}{{- $role := .role -}}{{- $values := $root.Values -}}
{{- $ports := include "dolium.ports" (dict "root" $root "role" $role) | fromJson -}}
{{- $serves := has $role (list "metadata" "storage") -}}
{{- $name := printf "%s$(POD_NAME)%s" (include "dolium.nodePrefix" $root) (include "dolium.nodeSuffix" (dict "root" $root "role" $role)) -}}
name: {{ $role }}
image: {{ include "dolium.image" $root | quote }}
imagePullPolicy: {{ $values.image.pullPolicy }}
args: [{{ $role }}, --config, /etc/dolium/config/config.json]
env:
  - name: POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  {{- if $values.hostFromKubernetesNode }}
  - name: KUBERNETES_NODE
    valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
  - name: DOLIUM_NODE__HOST
    value: $(KUBERNETES_NODE)
  {{- else }}
  - name: DOLIUM_NODE__HOST
    value: $(POD_NAME)
  {{- end }}
  - name: DOLIUM_NODE__NAME
    value: {{ $name | quote }}
  - name: DOLIUM_NODE__CAMPUS
    value: {{ .zone.campus | quote }}
  - name: DOLIUM_NODE__RACK
    value: {{ .zone.rack | quote }}
  - name: DOLIUM_OPS__ADDRESS
    value: {{ $values.listenAddress | quote }}
  - name: DOLIUM_OPS__PORT
    value: {{ $ports.ops | quote }}
  {{- if .stable }}
  - name: DOLIUM_OPS__ADVERTISE
    value: {{ printf "$(POD_NAME).%s:%d" (include "dolium.podDomain" $root) (int $ports.ops) | quote }}
  {{- end }}
  {{- if eq $role "gateway" }}
  {{- if eq (include "dolium.mode" $root) "cluster" }}
  - name: DOLIUM_NODE__BESIDE
    value: {{ printf "[\"%s$(POD_NAME)-metadata\",\"%s$(POD_NAME)-storage\"]" (include "dolium.nodePrefix" $root) (include "dolium.nodePrefix" $root) | quote }}
  {{- end }}
  # The image has its own, which go before the file.
  - name: DOLIUM_S3__ADDRESS
    value: {{ $values.listenAddress | quote }}
  - name: DOLIUM_ADMIN__ADDRESS
    value: {{ printf "%s:9001" (ternary (printf "[%s]" $values.listenAddress) $values.listenAddress (contains ":" $values.listenAddress)) | quote }}
  - name: DOLIUM_ADMIN__ALLOW_HTTP
    value: {{ eq $values.tls.mode "none" | quote }}
  {{- end }}
  {{- if $serves }}
  - name: DOLIUM_RPC__ADDRESS
    value: {{ printf "%s:%d" (ternary (printf "[%s]" $values.listenAddress) $values.listenAddress (contains ":" $values.listenAddress)) (int $ports.rpc) | quote }}
  - name: DOLIUM_RPC__ADVERTISE
    value: {{ printf "$(POD_NAME).%s:%d" (include "dolium.podDomain" $root) (int $ports.rpc) | quote }}
  {{- end }}
  {{- if eq $role "metadata" }}
  - name: DOLIUM_METADATA__DATA_DIR
    value: /data/metadata/replica
  {{- end }}
  {{- if eq $role "storage" }}
  - name: DOLIUM_STORAGE__DISKS
    value: {{ include "dolium.driveFolders" .zone | quote }}
  {{- end }}
  - name: DOLIUM_CLUSTER__SECRET_FILE
    value: /etc/dolium/cluster/clusterSecret
  {{- if has $role (list "gateway" "keeper") }}
  - name: DOLIUM_ENCRYPTION__CLUSTER_KEY_FILE
    value: /etc/dolium/cluster/clusterKey
  {{- include "dolium.rootEnv" $root | nindent 2 }}
  {{- end }}
  {{- if ne $values.internalTls.mode "none" }}
  - name: DOLIUM_INTERNAL__TLS__CA_FILE
    value: /etc/dolium/internal-tls-{{ $role }}/ca.crt
  - name: DOLIUM_INTERNAL__TLS__CERTIFICATE_FILE
    value: {{ printf "/etc/dolium/internal-tls-%s/%s.crt" $role (ternary $name $role $serves) | quote }}
  - name: DOLIUM_INTERNAL__TLS__KEY_FILE
    value: {{ printf "/etc/dolium/internal-tls-%s/%s.key" $role (ternary $name $role $serves) | quote }}
  {{- end }}
  {{- include "dolium.nodeOptions" . | nindent 2 }}
  {{- with concat $values.environment $values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - {name: ops-{{ $role }}, containerPort: {{ $ports.ops }}}
  {{- if $serves }}
  - {name: rpc-{{ $role }}, containerPort: {{ $ports.rpc }}}
  {{- end }}
  {{- if eq $role "gateway" }}
  {{- include "dolium.gatewayPorts" $root | nindent 2 }}
  {{- end }}
{{ include "dolium.probes" $ports.ops }}
lifecycle:
  preStop:
    exec:
      # Until the cluster can do without it, for half of the time it has at most; then until that is known.
      command:
        - dolium
        - drain
        - --config=/etc/dolium/config/config.json
        {{- if eq (include "dolium.mode" $root) "cluster" }}
        # The gateway answers for all of the pod, and goes last.
        - --wait
        - --ask=http://{{ ternary "[::1]" "127.0.0.1" (contains ":" $values.listenAddress) }}:{{ (include "dolium.ports" (dict "root" $root "role" "gateway") | fromJson).ops }}
        {{- else if has $role (list "gateway" "metadata") }}
        - --wait
        {{- end }}
        - --deadline={{ div $values.terminationGracePeriodSeconds 2 }}
        - --settle={{ ternary $values.gateway.drainSeconds 2 (eq $role "gateway") }}
securityContext:
  {{- include "dolium.containerSecurity" $root | nindent 2 }}
{{- with .resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  {{- include "dolium.mounts" (dict "root" $root "role" $role "zone" .zone) | nindent 2 }}
{{- end -}}

{{- define "dolium.gatewayPorts" -}}
- {name: s3, containerPort: 9000}
- {name: admin, containerPort: 9001}
{{- with include "dolium.plainPort" . }}
- {name: http, containerPort: {{ . }}}
{{- end }}
{{- end -}}

{{/* JSON: one folder on each drive. */}}
{{- define "dolium.driveFolders" -}}
{{- $folders := list -}}
{{- range $at := until (int .drives) -}}{{- $folders = append $folders (printf "/data/drive-%d/shards" $at) -}}{{- end -}}
{{- toJson $folders -}}
{{- end -}}

{{- define "dolium.mounts" -}}
{{- $values := .root.Values -}}
- {name: config, mountPath: /etc/dolium/config, readOnly: true}
- {name: cluster, mountPath: /etc/dolium/cluster, readOnly: true}
{{- if ne $values.internalTls.mode "none" }}
- {name: internal-tls-{{ .role }}, mountPath: /etc/dolium/internal-tls-{{ .role }}, readOnly: true}
{{- end }}
{{- if eq .role "metadata" }}
- {name: metadata, mountPath: /data/metadata}
{{- end }}
{{- if eq .role "storage" }}
{{- range $at := until (int .zone.drives) }}
- {name: drive-{{ $at }}, mountPath: /data/drive-{{ $at }}}
{{- end }}
{{- end }}
{{- if has .role (list "gateway" "keeper") }}
- {name: root, mountPath: /etc/dolium/root, readOnly: true}
{{- if ne $values.tls.mode "none" }}
- {name: s3-tls, mountPath: /etc/dolium/s3-tls, readOnly: true}
{{- end }}
{{- end }}
{{- if eq .role "gateway" }}
{{- include "dolium.provisioningMounts" .root }}
{{- end }}
{{- with $values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "dolium.provisioningMounts" -}}
{{- if include "dolium.provisions" . }}
- {name: provisioning, mountPath: /etc/dolium/provisioning, readOnly: true}
{{- range include "dolium.provisioningSecrets" . | fromJsonArray }}
- {name: {{ printf "user-%s" . | trunc 63 }}, mountPath: /etc/dolium/provisioning/secrets/{{ . }}, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{/* Volumes of a pod that runs these roles. `optional: false`: the pod waits until they are made. */}}
{{- define "dolium.volumes" -}}
{{- $root := .root -}}{{- $values := $root.Values -}}{{- $full := include "dolium.fullname" $root -}}
- name: config
  configMap: {name: {{ $full }}-config}
- name: cluster
  secret: {secretName: {{ include "dolium.secretName" $root }}, defaultMode: 0440}
{{- if ne $values.internalTls.mode "none" }}
{{- range .roles }}
- name: internal-tls-{{ . }}
{{- include "dolium.internalTlsVolume" (dict "root" $root "role" .) | nindent 2 }}
{{- end }}
{{- end }}
{{- include "dolium.gatewayVolumes" . }}
{{- with $values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "dolium.gatewayVolumes" -}}
{{- $values := .root.Values -}}
{{- if or (has "gateway" .roles) (has "keeper" .roles) }}
- name: root
  secret: {secretName: {{ include "dolium.rootSecretName" .root }}, defaultMode: 0440}
{{- if ne $values.tls.mode "none" }}
- name: s3-tls
  secret: {secretName: {{ include "dolium.s3TlsSecret" .root }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- if and (has "gateway" .roles) (include "dolium.provisions" .root) }}
- name: provisioning
  secret: {secretName: {{ include "dolium.fullname" .root }}-provisioning, defaultMode: 0440}
{{- range include "dolium.provisioningSecrets" .root | fromJsonArray }}
- name: {{ printf "user-%s" . | trunc 63 }}
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- end -}}

{{/* Files NAME.crt, NAME.key and ca.crt: from one Secret of the init Job, or cert-manager's many. */}}
{{- define "dolium.internalTlsVolume" -}}
{{- $root := .root -}}{{- $full := include "dolium.fullname" $root -}}
{{- if eq $root.Values.internalTls.mode "selfSigned" }}
secret: {secretName: {{ $full }}-internal-{{ .role }}, defaultMode: 0440}
{{- else if eq $root.Values.internalTls.mode "secret" }}
secret: {secretName: {{ get $root.Values.internalTls.existingSecrets .role | required (printf "internalTls.mode secret needs internalTls.existingSecrets.%s" .role) }}, defaultMode: 0440}
{{- else }}
projected:
  defaultMode: 0440
  sources:
    {{- range $at, $name := include "dolium.certificateNames" . | fromJsonArray }}
    - secret:
        name: {{ printf "%s-internal-%s" $full $name }}
        items:
          - {key: tls.crt, path: {{ $name }}.crt}
          - {key: tls.key, path: {{ $name }}.key}
          {{- /* One issuer signs all; Kubernetes takes a path only once. */}}
          {{- if eq $at 0 }}
          - {key: ca.crt, path: ca.crt}
          {{- end }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* Names of the certificates of a role: of each node for those that serve. A JSON list. */}}
{{- define "dolium.certificateNames" -}}
{{- $root := .root -}}{{- $role := .role -}}{{- $names := list -}}
{{- $prefix := include "dolium.nodePrefix" $root -}}
{{- $suffix := include "dolium.nodeSuffix" . -}}
{{- if eq $role "metadata" -}}
{{- /* Pods that are no replicas yet run the role idly, and have certificates too. */ -}}
{{- $pods := ternary (int $root.Values.replicas) (int (include "dolium.metadataCount" $root)) (eq (include "dolium.mode" $root) "cluster") -}}
{{- range $at := until $pods -}}
{{- $names = append $names (printf "%s%s-%d%s" $prefix (include "dolium.metadataSet" $root) $at $suffix) -}}
{{- end -}}
{{- else if eq $role "storage" -}}
{{- range $zone := (include "dolium.storageZones" $root | fromJson).zones -}}
{{- range $at := until (int $zone.replicas) -}}
{{- $names = append $names (printf "%s%s-%d%s" $prefix $zone.set $at $suffix) -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- $names = list $role -}}
{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{/* Spread over zones and hosts, never so that pods stay pending, unless "hard" says so. */}}
{{- define "dolium.spread" -}}
{{- if ne .root.Values.antiAffinity "none" }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "dolium.selector" . | nindent 8 }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: {{ ternary "DoNotSchedule" "ScheduleAnyway" (eq .root.Values.antiAffinity "hard") }}
    labelSelector:
      matchLabels:
        {{- include "dolium.selector" . | nindent 8 }}
{{- end }}
{{- end -}}

{{/* root, component, roles, zone. Everything of a pod's spec but its containers. */}}
{{- define "dolium.podSpec" -}}
{{- $values := .root.Values -}}
serviceAccountName: {{ include "dolium.fullname" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
{{- with include "dolium.pullSecrets" .root }}
{{ . | trim }}
{{- end }}
securityContext:
  {{- include "dolium.podSecurity" .root | trim | nindent 2 }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with default $values.nodeSelector .zone.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat $values.tolerations (default list .zone.tolerations) }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "dolium.spread" . }}
{{- end -}}

{{/* Policies count when a cluster is founded: another number of nodes restarts nobody. */}}
{{- define "dolium.restartingConfig" -}}
{{- $cluster := omit (default dict .cluster) "policies" -}}
{{- mergeOverwrite (omit . "cluster") (dict "cluster" $cluster) | toJson -}}
{{- end -}}

{{/* Changes of these are read when a process starts; mounted secrets are watched instead. */}}
{{- define "dolium.podAnnotations" -}}
dolium.dev/config: {{ include "dolium.config" .root | fromJson | include "dolium.restartingConfig" | sha256sum | quote }}
{{- with .root.Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "dolium.podLabels" -}}
{{ include "dolium.selector" . }}
{{- with .root.Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A claim template: no label of the chart in it, since it can never be changed. */}}
{{- define "dolium.claim" -}}
metadata:
  name: {{ .name }}
  {{- with .root.Values.persistence.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  accessModes: [{{ .root.Values.persistence.accessMode }}]
  {{- with .storageClass }}
  storageClassName: {{ ternary "" . (eq . "-") | quote }}
  {{- end }}
  resources:
    requests:
      storage: {{ .size }}
{{- end -}}
