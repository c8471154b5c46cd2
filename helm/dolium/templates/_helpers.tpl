{{/* Names, labels, images, ports: what every template says in the same words. */}}

{{- define "dolium.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters: names of nodes are made from it, and stand in certificates. */}}
{{- define "dolium.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "dolium.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "dolium.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "dolium.headless" -}}{{ include "dolium.fullname" . }}-nodes{{- end -}}

{{/* standalone, cluster or split; "distributed" is what MinIO's chart calls a cluster. */}}
{{- define "dolium.mode" -}}
{{- ternary "cluster" .Values.mode (eq .Values.mode "distributed") -}}
{{- end -}}

{{/* Never more than these: selectors are immutable. */}}
{{- define "dolium.selector" -}}
app.kubernetes.io/name: {{ include "dolium.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Of objects. Not of pods and claims: they must not change with the chart's version. */}}
{{- define "dolium.labels" -}}
{{ include "dolium.selector" . }}
app.kubernetes.io/part-of: dolium
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name (.root.Chart.Version | replace "+" "_") }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* registry/repository:tag, or @digest, which goes before. */}}
{{- define "dolium.imageOf" -}}
{{- $registry := default .image.registry .root.Values.global.imageRegistry -}}
{{- $name := ternary .image.repository (printf "%s/%s" $registry .image.repository) (empty $registry) -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .root.Chart.AppVersion .image.tag | toString) -}}
{{- end -}}
{{- end -}}

{{- define "dolium.image" -}}
{{- include "dolium.imageOf" (dict "root" . "image" .Values.image) -}}
{{- end -}}

{{- define "dolium.pullSecrets" -}}
{{- $names := concat .Values.global.imagePullSecrets .Values.image.pullSecrets -}}
{{- if $names }}
imagePullSecrets:
  {{- range $names }}
  - name: {{ if kindIs "map" . }}{{ .name }}{{ else }}{{ . }}{{ end }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Ports of a role: pods of a cluster run every role, so each has its own there. */}}
{{- define "dolium.ports" -}}
{{- $together := eq (include "dolium.mode" .root) "cluster" -}}
{{- $shift := ternary (get (dict "gateway" 0 "metadata" 10 "storage" 20 "keeper" 30) .role) 0 $together -}}
{{- $rpc := ternary (get (dict "metadata" 9002 "storage" 9012 "gateway" 0 "keeper" 0) .role) 9002 $together -}}
{{- dict "ops" (add 9003 $shift) "rpc" $rpc | toJson -}}
{{- end -}}

{{/* Prefix of node names: those of several campuses must differ. */}}
{{- define "dolium.nodePrefix" -}}
{{- if ne .Values.campus.name "main" }}{{ .Values.campus.name }}-{{ end -}}
{{- end -}}

{{- define "dolium.nodeSuffix" -}}
{{- if eq (include "dolium.mode" .root) "cluster" }}-{{ .role }}{{ end -}}
{{- end -}}

{{/* Where pods of the headless service are found: by all campuses, if there are several. */}}
{{- define "dolium.podDomain" -}}
{{- default (printf "%s.%s.svc.%s" (include "dolium.headless" .) .Release.Namespace .Values.clusterDomain) .Values.campus.podDomain -}}
{{- end -}}

{{/* The number of metadata replicas is for good: it does not follow `replicas`. */}}
{{- define "dolium.metadataCount" -}}
{{- if .Values.metadata.replicas -}}
{{- .Values.metadata.replicas -}}
{{- else if and (eq (include "dolium.mode" .) "cluster") (lt (int .Values.replicas) 3) -}}
1
{{- else -}}
3
{{- end -}}
{{- end -}}

{{- define "dolium.metadataSet" -}}
{{- include "dolium.fullname" . }}{{ ternary "" "-metadata" (eq (include "dolium.mode" .) "cluster") -}}
{{- end -}}

{{/* This release's replicas and those of other campuses: a JSON list of name and address. */}}
{{- define "dolium.members" -}}
{{- $members := list -}}
{{- $port := (include "dolium.ports" (dict "root" . "role" "metadata") | fromJson).rpc -}}
{{- $suffix := include "dolium.nodeSuffix" (dict "root" . "role" "metadata") -}}
{{- range $at := until (int (include "dolium.metadataCount" .)) -}}
{{- $pod := printf "%s-%d" (include "dolium.metadataSet" $) $at -}}
{{- $name := printf "%s%s%s" (include "dolium.nodePrefix" $) $pod $suffix -}}
{{- $members = append $members (dict "name" $name "address" (printf "%s.%s:%d" $pod (include "dolium.podDomain" $) (int $port))) -}}
{{- end -}}
{{- range .Values.campus.seeds -}}
{{- $members = append $members (dict "name" .name "address" .address) -}}
{{- end -}}
{{- toJson $members -}}
{{- end -}}

{{/* The sets of storage nodes: one without zones, else one a zone. A JSON list. */}}
{{- define "dolium.storageZones" -}}
{{- $zones := list -}}
{{- $common := dict "drives" .Values.persistence.drives "size" .Values.persistence.size "storageClass" .Values.persistence.storageClass "campus" .Values.campus.name "rack" .Values.campus.rack "nodeSelector" dict "tolerations" list -}}
{{- if .Values.zones -}}
{{- range .Values.zones -}}
{{- $zones = append $zones (mergeOverwrite (deepCopy $common) (dict "rack" .name "set" (printf "%s-storage-%s" (include "dolium.fullname" $) .name)) (deepCopy .)) -}}
{{- end -}}
{{- else -}}
{{- $cluster := eq (include "dolium.mode" .) "cluster" -}}
{{- $set := printf "%s%s" (include "dolium.fullname" .) (ternary "" "-storage" $cluster) -}}
{{- $replicas := ternary .Values.replicas .Values.storage.replicas $cluster -}}
{{- $zones = list (mergeOverwrite $common (dict "name" "" "set" $set "replicas" $replicas)) -}}
{{- end -}}
{{- dict "zones" $zones | toJson -}}
{{- end -}}

{{- define "dolium.secretName" -}}
{{- default (printf "%s-cluster" (include "dolium.fullname" .)) .Values.auth.existingClusterSecret -}}
{{- end -}}

{{/* MinIO's chart has `existingSecret` at the top, with the same keys. */}}
{{- define "dolium.rootSecretName" -}}
{{- $given := default .Values.existingSecret .Values.auth.existingSecret -}}
{{- default (printf "%s-root" (include "dolium.fullname" .)) $given -}}
{{- end -}}

{{- define "dolium.rootUser" -}}{{ default .Values.rootUser .Values.auth.rootUser }}{{- end -}}
{{- define "dolium.rootPassword" -}}{{ default .Values.rootPassword .Values.auth.rootPassword }}{{- end -}}

{{/* "values", "existing" or "job": who makes the root user's Secret. */}}
{{- define "dolium.rootSource" -}}
{{- if or .Values.auth.existingSecret .Values.existingSecret -}}existing
{{- else if include "dolium.rootPassword" . -}}values
{{- else -}}job
{{- end -}}
{{- end -}}

{{/* Is there anything that the init Job has to make? */}}
{{- define "dolium.needsInit" -}}
{{- if or (eq (include "dolium.rootSource" .) "job") (and (ne (include "dolium.mode" .) "standalone") (or (empty .Values.auth.existingClusterSecret) (eq .Values.internalTls.mode "selfSigned"))) (eq .Values.tls.mode "selfSigned") -}}true{{- end -}}
{{- end -}}

{{- define "dolium.s3TlsSecret" -}}
{{- if eq .Values.tls.mode "secret" -}}
{{- required "tls.mode secret needs tls.existingSecret: a Secret with tls.crt and tls.key" .Values.tls.existingSecret -}}
{{- else -}}
{{- include "dolium.fullname" . }}-s3-tls
{{- end -}}
{{- end -}}

{{- define "dolium.scheme" -}}{{ ternary "http" "https" (eq .Values.tls.mode "none") }}{{- end -}}
{{/* A proxy in the cluster speaks plain HTTP to this port. */}}
{{- define "dolium.plainPort" -}}
{{- if and (ne .Values.tls.mode "none") (or .Values.ingress.enabled .Values.gatewayApi.httpRoute.enabled) -}}9080{{- end -}}
{{- end -}}

{{/* Hosts of S3: round robin, campuses, services. A JSON list. */}}
{{- define "dolium.s3Hosts" -}}
{{- $service := include "dolium.fullname" . -}}
{{- $hosts := list -}}
{{- with .Values.campus.globalHost }}{{ $hosts = append $hosts . }}{{ end -}}
{{- with .Values.campus.publicHost }}{{ $hosts = append $hosts . }}{{ end -}}
{{- $hosts = concat $hosts .Values.tls.hosts -}}
{{- range .Values.zones -}}{{- with .publicHost -}}{{- $hosts = append $hosts . -}}{{- end -}}{{- end -}}
{{- $hosts = concat $hosts (list $service (printf "%s.%s" $service .Release.Namespace) (printf "%s.%s.svc" $service .Release.Namespace) (printf "%s.%s.svc.%s" $service .Release.Namespace .Values.clusterDomain) "localhost") -}}
{{- $hosts | uniq | toJson -}}
{{- end -}}

{{/* A memory quantity in MiB. */}}
{{- define "dolium.mebibytes" -}}
{{- $text := toString . -}}
{{- $number := regexFind "^[0-9.]+" $text | float64 -}}
{{- $unit := regexFind "[A-Za-z]*$" $text -}}
{{- $factor := get (dict "Ki" (divf 1.0 1024.0) "Mi" 1.0 "Gi" 1024.0 "Ti" 1048576.0 "k" 0.00095367 "M" 0.953674 "G" 953.674 "" 0.00000095367) $unit -}}
{{- mulf $number $factor | floor | int -}}
{{- end -}}

{{/* Not of the servers: neither budgets nor the headless Service count it. */}}
{{- define "dolium.cosiSelector" -}}
app.kubernetes.io/name: {{ include "dolium.name" . }}-cosi
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: cosi
{{- end -}}
