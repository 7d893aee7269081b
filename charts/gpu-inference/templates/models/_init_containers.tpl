{{/*
Init containers that fetch models and code before the service starts: one for each download, and one for each model
that is copied from its volume. They run one after another; after a failure, only the failed one runs again.
*/}}

{{/* Not empty if there is such a container. */}}
{{- define "gpu-inference.bringsContents" -}}
{{- range include "gpu-inference.contents" . | fromJsonArray -}}
  {{- if has .kind (list "download" "copy") }}{{ .id }}{{ end -}}
{{- end -}}
{{- end }}

{{- define "gpu-inference.modelInitContainers" -}}
{{- $root := . -}}
{{- range include "gpu-inference.contents" . | fromJsonArray }}
  {{- if has .kind (list "download" "copy") }}
- name: {{ ternary "fetch" "copy" (eq .kind "download") }}-{{ .id }}
  image: {{ include "gpu-inference.image" $root | quote }}
  imagePullPolicy: {{ $.Values.image.pullPolicy }}
  command:
    - /opt/gpu-inference/bin/python
    - -Es
    {{- include (printf "gpu-inference.%sArguments" .kind) (list $root .) | nindent 4 }}
  {{- with include "gpu-inference.fetchEnv" (list $ .) | trim }}
  env:
    {{- . | nindent 4 }}
  {{- end }}
  # Puts the reason of a failure into the pod's status.
  terminationMessagePolicy: FallbackToLogsOnError
  resources:
    requests:
      cpu: 100m
      memory: 64Mi
    limits:
      memory: 256Mi
  securityContext:
    {{- include "gpu-inference.containerSecurityContext" $root | nindent 4 }}
  volumeMounts:
    - name: model-scripts
      mountPath: /etc/gpu-inference/model-scripts
      readOnly: true
    - name: {{ .id }}
      mountPath: /into
    {{- if eq .kind "copy" }}
    - name: {{ include "gpu-inference.claimVolumeName" .source }}
      mountPath: {{ printf "/from/%s" .entry | quote }}
      subPath: {{ .source.subPath | quote }}
      readOnly: true
    {{- else if .source.caConfigMap }}
    - name: {{ .id }}-ca
      mountPath: /etc/gpu-inference/ca
      readOnly: true
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Arguments of a copy. Takes a list, like the next two helpers: the root context and the content. */}}
{{- define "gpu-inference.copyArguments" -}}
{{- $content := last . -}}
- /etc/gpu-inference/model-scripts/copy_model.py
- {{ printf "--what=%s" $content.what | quote }}
- {{ printf "--source=/from/%s" $content.entry | quote }}
- --into=/into
{{- end }}

{{- define "gpu-inference.downloadArguments" -}}
{{- $root := first . -}}
{{- $content := last . -}}
{{- $source := $content.source -}}
- /etc/gpu-inference/model-scripts/fetch.py
- {{ printf "--what=%s" $content.what | quote }}
- --into=/into
{{- with $source.url }}
- {{ printf "--url=%s" . | quote }}
{{- end }}
- --sha256={{ $source.sha256 }}
- --most-bytes={{ mulf $source.sizeLimitGi 1073741824 | int64 }}
- --timeout-seconds={{ $source.timeoutSeconds | int64 }}
{{- with $content.entry }}
- {{ printf "--entry=%s" . | quote }}
{{- end }}
{{- if $source.archive }}
- --archive={{ $source.archive }}
{{- else if eq $content.id "code" }}
- {{ printf "--file=%s" $root.Values.inference.entryScript | quote }}
{{- end }}
{{- if $source.caConfigMap }}
- --ca-file=/etc/gpu-inference/ca/ca.crt
{{- end }}
{{- end }}

{{/* Environment of a download: the Secret's entries, and the proxy variables of extraEnv. */}}
{{- define "gpu-inference.fetchEnv" -}}
{{- $source := (last .).source -}}
{{- if eq (last .).kind "download" }}
  {{- with $source.existingSecret }}
    {{- if not $source.url }}
- name: FETCH_URL
  valueFrom:
    secretKeyRef:
      name: {{ quote . }}
      key: url
    {{- end }}
- name: FETCH_HEADERS
  valueFrom:
    secretKeyRef:
      name: {{ quote . }}
      key: headers
      {{- if not $source.url }}
      optional: true
      {{- end }}
  {{- end }}
  {{- range (first .).Values.extraEnv }}
    {{- if has (lower .name) (list "http_proxy" "https_proxy" "no_proxy") }}
{{ list . | toYaml }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Longest time that these containers may take, in seconds. A copy counts 600 s, because its size is unknown. */}}
{{- define "gpu-inference.fetchSeconds" -}}
{{- $seconds := 0 -}}
{{- range include "gpu-inference.contents" . | fromJsonArray -}}
  {{- if eq .kind "download" }}{{ $seconds = add $seconds (int64 .source.timeoutSeconds) }}{{ end -}}
  {{- if eq .kind "copy" }}{{ $seconds = add $seconds 600 }}{{ end -}}
{{- end -}}
{{ $seconds }}
{{- end }}

{{/*
"true" if a volume prevents a second pod from starting on another node, so that a rollout must not add a pod
(docs/decisions.md 31).
*/}}
{{- define "gpu-inference.tiedToOnePlace" -}}
{{- $tied := false -}}
{{- range include "gpu-inference.contents" . | fromJsonArray -}}
  {{- $alone := and (eq (toString .source.accessMode) "ReadWriteOnce") (not .source.singleNode) -}}
  {{- $tied = or $tied $alone (eq (toString .source.accessMode) "ReadWriteOncePod") -}}
{{- end -}}
{{ $tied }}
{{- end }}

{{/* Egress for downloads: ports only, because a NetworkPolicy has no host names. */}}
{{- define "gpu-inference.modelEgress" -}}
{{- $ports := list -}}
{{- range include "gpu-inference.contents" . | fromJsonArray -}}
  {{- if eq .kind "download" -}}
    {{- $authority := regexFind "^https?://[^/?#]*" .source.url -}}
    {{- $port := regexFind ":[0-9]+$" $authority | trimPrefix ":" -}}
    {{- $ports = append $ports ($port | default (hasPrefix "http://" $authority | ternary "80" "443") | int) -}}
  {{- end -}}
{{- end -}}
{{- with uniq $ports | sortAlpha -}}
- ports:
    {{- range . }}
    - port: {{ . }}
      protocol: TCP
    {{- end }}
{{- end }}
{{- end }}

{{/* Warnings about models and code, as a JSON list of sentences. */}}
{{- define "gpu-inference.modelNotes" -}}
{{- $notes := list -}}
{{- $kinds := list -}}
{{- range include "gpu-inference.contents" . | fromJsonArray }}{{ $kinds = append $kinds .kind }}{{ end -}}
{{- if and (not .Values.deployment.blobfuse_enabled) (not (has "copy" $kinds)) -}}
  {{- $notes = append $notes "deployment.blobfuse_enabled: false has no effect: no model comes from a PersistentVolumeClaim, which alone would be copied." -}}
{{- end -}}
{{- if include "gpu-inference.tiedToOnePlace" . | eq "true" -}}
  {{- $notes = append $notes "Each upgrade interrupts the service: its volume is one that a second pod cannot mount beside the first (accessMode)." -}}
{{- end -}}
{{- if or (has "download" $kinds) (has "copy" $kinds) -}}
  {{- $notes = append $notes (printf "Pods fetch models or code before they start: kubectl --namespace %s logs deployment/%s --all-containers tells how far they are." .Release.Namespace (include "gpu-inference.serviceName" .)) -}}
{{- end -}}
{{- if has "configMap" $kinds -}}
  {{- $notes = append $notes "A change of your own ConfigMap reaches the pods when they are restarted." -}}
{{- end -}}
{{ $notes | toJson }}
{{- end }}
