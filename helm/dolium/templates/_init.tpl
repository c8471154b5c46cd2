{{/* What the init Job makes where it is missing: `dolium kubernetes init`. */}}

{{- define "dolium.initNames" -}}
{{- $full := include "dolium.fullname" . -}}
{{- $names := list -}}
{{- if eq (include "dolium.rootSource" .) "job" }}{{- $names = append $names (include "dolium.rootSecretName" .) -}}{{ end -}}
{{- if ne (include "dolium.mode" .) "standalone" -}}
{{- if not .Values.auth.existingClusterSecret }}{{- $names = append $names (include "dolium.secretName" .) -}}{{ end -}}
{{- if eq .Values.internalTls.mode "selfSigned" -}}
{{- $names = append $names (printf "%s-ca" $full) -}}
{{- range list "metadata" "storage" "gateway" "keeper" "admin" }}{{- $names = append $names (printf "%s-internal-%s" $full .) -}}{{ end -}}
{{- end -}}
{{- end -}}
{{- if eq .Values.tls.mode "selfSigned" -}}
{{- $names = append $names (include "dolium.s3TlsSecret" .) -}}
{{- if not (has (printf "%s-ca" $full) $names) }}{{- $names = append $names (printf "%s-ca" $full) -}}{{ end -}}
{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{- define "dolium.initArgs" -}}
{{- $full := include "dolium.fullname" . -}}
{{- $args := list "kubernetes" "init" "--namespace" .Release.Namespace "--prefix" $full -}}
{{- if eq (include "dolium.rootSource" .) "job" -}}
{{- $args = concat $args (list "--root-secret" (include "dolium.rootSecretName" .)) -}}
{{- with include "dolium.rootUser" . }}{{- $args = concat $args (list "--root-user" .) -}}{{ end -}}
{{- end -}}
{{- if ne (include "dolium.mode" .) "standalone" -}}
{{- if not .Values.auth.existingClusterSecret }}{{- $args = concat $args (list "--cluster-secret" (include "dolium.secretName" .)) -}}{{ end -}}
{{- if eq .Values.internalTls.mode "selfSigned" -}}
{{- $args = append $args "--internal-tls" -}}
{{- range $role := list "metadata" "storage" -}}
{{- range include "dolium.certificateNames" (dict "root" $ "role" $role) | fromJsonArray }}{{- $args = concat $args (list "--node" (printf "%s/%s" $role .)) -}}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $args = concat $args (list "--name" (default $full .Values.clusterId)) -}}
{{- if eq .Values.tls.mode "selfSigned" -}}
{{- $args = concat $args (list "--s3-secret" (include "dolium.s3TlsSecret" .)) -}}
{{- range include "dolium.s3Hosts" . | fromJsonArray }}{{- $args = concat $args (list "--s3-host" .) -}}{{ end -}}
{{- end -}}
{{- toJson $args -}}
{{- end -}}

{{/* root, name, args: the pod of a job that speaks to the API server. */}}
{{- define "dolium.jobPod" -}}
metadata:
  labels:
    app.kubernetes.io/name: {{ include "dolium.name" .root }}-job
    app.kubernetes.io/instance: {{ .root.Release.Name }}
    app.kubernetes.io/component: init
spec:
  serviceAccountName: {{ .account }}
  automountServiceAccountToken: true
  enableServiceLinks: false
  restartPolicy: OnFailure
  {{- with include "dolium.pullSecrets" .root }}
  {{- . | trim | nindent 2 }}
  {{- end }}
  securityContext:
    {{- include "dolium.podSecurity" .root | trim | nindent 4 }}
  {{- with .root.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: init
      image: {{ include "dolium.image" .root | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: {{ .args }}
      env:
        - name: TMPDIR
          value: /work
      securityContext:
        {{- include "dolium.containerSecurity" .root | nindent 8 }}
      resources:
        {{- toYaml .root.Values.init.resources | nindent 8 }}
      volumeMounts:
        - {name: work, mountPath: /work}
  volumes:
    - name: work
      emptyDir: {medium: Memory, sizeLimit: 16Mi}
{{- end -}}

{{- define "dolium.initPod" -}}
{{- include "dolium.jobPod" (dict "root" . "account" (printf "%s-init" (include "dolium.fullname" .)) "args" (include "dolium.initArgs" .)) -}}
{{- end -}}
