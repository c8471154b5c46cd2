{{/* The configuration file that all roles of the release read; what differs by pod is environment. */}}

{{/* One policy, "standard": chosen by the number of nodes and drives unless values say it. */}}
{{- define "dolium.policy" -}}
{{- $zones := (include "dolium.storageZones" . | fromJson).zones -}}
{{- $nodes := 0 -}}{{- $drives := 64 -}}{{- $campuses := list -}}
{{- range $zones -}}
{{- $nodes = add $nodes .replicas -}}{{- $drives = min $drives .drives -}}{{- $campuses = append $campuses .campus -}}
{{- end -}}
{{- $racks := len $zones -}}
{{- $domain := "node" -}}
{{- if eq (int $nodes) 1 -}}{{- $domain = "disk" -}}
{{- else if ge (len ($campuses | uniq)) 3 -}}{{- $domain = "campus" -}}
{{- else if ge $racks 3 -}}{{- $domain = "rack" -}}
{{- end -}}
{{- $units := ternary $drives $nodes (eq $domain "disk") | int -}}
{{- $schemes := dict "1" (list 1 0) "2" (list 1 1) "3" (ternary (list 4 2) (list 2 1) (and (ge (int $drives) 2) (ne $domain "disk"))) "4" (list 2 2) "5" (list 3 2) -}}
{{- $scheme := ternary (get $schemes (toString $units)) (list 4 2) (lt $units 6) -}}
{{- with .Values.durability -}}
{{- $data := ternary (index $scheme 0) .data (eq (toString .data) "auto") -}}
{{- $parity := ternary (index $scheme 1) .parity (eq (toString .parity) "auto") -}}
{{- $failureDomain := ternary $domain .failureDomain (eq .failureDomain "auto") -}}
{{- dict "name" "standard" "dataShards" (int $data) "parityShards" (int $parity) "failureDomain" $failureDomain | toJson -}}
{{- end -}}
{{- end -}}

{{- define "dolium.config" -}}
{{- $s3 := dict "address" .Values.listenAddress -}}
{{- with .Values.campus.globalHost }}{{- $_ := set $s3 "domains" (compact (list . $.Values.campus.publicHost)) -}}{{ end -}}
{{- $admin := dict "address" (printf "%s:9001" (ternary (printf "[%s]" .Values.listenAddress) .Values.listenAddress (contains ":" .Values.listenAddress))) -}}
{{- if eq .Values.tls.mode "none" }}{{- $_ := set $admin "allowHttp" true -}}{{ end -}}
{{- if ne .Values.tls.mode "none" -}}
{{- $files := dict "certificateFile" "/etc/dolium/s3-tls/tls.crt" "keyFile" "/etc/dolium/s3-tls/tls.key" -}}
{{- with include "dolium.plainPort" . }}{{- $_ := set $files "plainPort" (int .) -}}{{ end -}}
{{- $_ := set $s3 "tls" $files -}}
{{- end -}}
{{- $config := dict "s3" $s3 "admin" $admin "log" (dict "level" .Values.logLevel) -}}
{{- $_ := set $s3 "console" .Values.console.enabled -}}
{{- with .Values.region }}{{- $_ := set $s3 "region" . -}}{{ end -}}
{{- if include "dolium.provisions" . -}}
{{- $_ := set $config "provisioning" (dict "file" "/etc/dolium/provisioning/provisioning.json") -}}
{{- end -}}
{{- if ne (include "dolium.mode" .) "standalone" -}}
{{- $cluster := dict "id" (default (include "dolium.fullname" .) .Values.clusterId) "metadata" (include "dolium.members" . | fromJsonArray) "policies" (list (include "dolium.policy" . | fromJson)) "defaultPolicy" "standard" -}}
{{- $_ := set $config "cluster" $cluster -}}
{{- $_ := set $config "metadata" (dict "idleUnlessListed" true) -}}
{{- if eq .Values.internalTls.mode "none" -}}
{{- $_ := set $config "internal" (dict "tls" (dict "allowPlain" true)) -}}
{{- end -}}
{{- end -}}
{{- mergeOverwrite $config (deepCopy .Values.config) | toPrettyJson -}}
{{- end -}}

{{/* What the gateways see to, from our values and from those of MinIO's chart. */}}
{{- define "dolium.provisions" -}}
{{- if or .Values.buckets .Values.users .Values.policies .Values.provisioning.buckets .Values.provisioning.users .Values.provisioning.policies .Values.provisioning.groups .Values.provisioning.tokens -}}true{{- end -}}
{{- end -}}

{{- define "dolium.minioPolicies" -}}
{{- $all := dict "readwrite" (list "s3:*") "readonly" (list "s3:GetBucketLocation" "s3:GetObject" "s3:ListBucket") "writeonly" (list "s3:PutObject") -}}
{{- toJson $all -}}
{{- end -}}

{{- define "dolium.provisioningFile" -}}
{{- $policies := .Values.provisioning.policies -}}
{{- $known := list -}}
{{- range .Values.policies -}}
{{- $statements := list -}}
{{- range .statements -}}
{{- $statement := dict "Effect" (default "Allow" .effect) "Action" .actions "Resource" .resources -}}
{{- with .conditions -}}
{{- $conditions := dict -}}
{{- range . -}}
{{- range $operator, $pairs := . -}}
{{- $_ := set $conditions $operator (mergeOverwrite (default dict (get $conditions $operator)) $pairs) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $statement "Condition" $conditions -}}
{{- end -}}
{{- $statements = append $statements $statement -}}
{{- end -}}
{{- $known = append $known .name -}}
{{- $policies = append $policies (dict "name" .name "document" (dict "Version" "2012-10-17" "Statement" $statements)) -}}
{{- end -}}
{{- range .Values.provisioning.policies }}{{- $known = append $known .name -}}{{ end -}}
{{- $users := list -}}
{{- range $user := .Values.provisioning.users -}}
{{- $copy := omit $user "existingSecrets" -}}
{{- $keys := default list $user.keys -}}
{{- range $user.existingSecrets -}}
{{- $keys = append $keys (dict "accessKeyId" .accessKeyId "secretAccessKeyFile" (printf "/etc/dolium/provisioning/secrets/%s/%s" .name .key)) -}}
{{- end -}}
{{- if $keys }}{{- $_ := set $copy "keys" $keys -}}{{ end -}}
{{- $users = append $users $copy -}}
{{- end -}}
{{- $standard := include "dolium.minioPolicies" . | fromJson -}}
{{- range .Values.users -}}
{{- $key := dict "accessKeyId" .accessKey -}}
{{- if .existingSecret -}}
{{- $_ := set $key "secretAccessKeyFile" (printf "/etc/dolium/provisioning/secrets/%s/%s" .existingSecret (required (printf "users: %s has existingSecret, and needs existingSecretKey too" .accessKey) .existingSecretKey)) -}}
{{- else -}}
{{- $_ := set $key "secretAccessKey" (required (printf "users: %s needs secretKey, or existingSecret and existingSecretKey" .accessKey) .secretKey) -}}
{{- end -}}
{{- $user := dict "name" .accessKey "keys" (list $key) -}}
{{- $attached := list -}}
{{- range compact (splitList "," (default "" .policy)) -}}
{{- if eq . "consoleAdmin" -}}
{{- $_ := set $user "administrator" true -}}
{{- else -}}
{{- $attached = append $attached . -}}
{{- if and (hasKey $standard .) (not (has . $known)) -}}
{{- $known = append $known . -}}
{{- $policies = append $policies (dict "name" . "document" (dict "Version" "2012-10-17" "Statement" (list (dict "Effect" "Allow" "Action" (get $standard .) "Resource" (list "arn:aws:s3:::*"))))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $attached }}{{- $_ := set $user "attachedPolicies" $attached -}}{{ end -}}
{{- $users = append $users $user -}}
{{- end -}}
{{- $buckets := .Values.provisioning.buckets -}}
{{- range .Values.buckets -}}
{{- if .purge }}{{- fail (printf "buckets: %s has purge: true; buckets are never emptied by values: delete it by hand" .name) -}}{{ end -}}
{{- $bucket := dict "name" .name -}}
{{- with .policy }}{{- $_ := set $bucket "access" . -}}{{ end -}}
{{- if .versioning }}{{- $_ := set $bucket "versioning" "Enabled" -}}{{ end -}}
{{- if .objectlocking }}{{- $_ := set $bucket "objectLock" true -}}{{ end -}}
{{- $buckets = append $buckets $bucket -}}
{{- end -}}
{{- $tokens := list -}}
{{- range .Values.provisioning.tokens -}}
{{- $file := printf "/etc/dolium/provisioning/secrets/%s/%s" .existingSecret.name .existingSecret.key -}}
{{- $tokens = append $tokens (set (omit . "existingSecret") "tokenFile" $file) -}}
{{- end -}}
{{- dict "policies" $policies "groups" .Values.provisioning.groups "users" $users "buckets" $buckets "tokens" $tokens | toPrettyJson -}}
{{- end -}}

{{/* Secrets that provisioning reads: a JSON list of names. */}}
{{- define "dolium.provisioningSecrets" -}}
{{- $names := list -}}
{{- range .Values.users }}{{- with .existingSecret }}{{- $names = append $names . -}}{{ end -}}{{ end -}}
{{- range .Values.provisioning.users }}{{- range .existingSecrets }}{{- $names = append $names .name -}}{{ end -}}{{ end -}}
{{- range .Values.provisioning.tokens }}{{- $names = append $names .existingSecret.name -}}{{ end -}}
{{- $names | uniq | toJson -}}
{{- end -}}
