{{/* Security contexts of all pods of the release, and of their containers. */}}

{{/*
Pod Security "restricted", for a pod, with what the values add or replace. The image says which user; a cluster may
choose another.
*/}}
{{- define "gpu-inference.podSecurityContext" -}}
{{- $restricted := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- include "gpu-inference.securityContext" (list . $restricted "podSecurityContext") -}}
{{- end }}

{{/* Pod Security "restricted", for a container, likewise. */}}
{{- define "gpu-inference.containerSecurityContext" -}}
{{- $restricted := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- include "gpu-inference.securityContext" (list . $restricted "securityContext") -}}
{{- end }}

{{/*
Takes a list: the root context, the chart's own mapping, and the value's name. OpenShift gives each namespace its users
and groups, and refuses pods that name others.
*/}}
{{- define "gpu-inference.securityContext" -}}
{{- $root := index . 0 -}}
{{- $given := get $root.Values (index . 2) -}}
{{- if $root.Values.openshift -}}
  {{- $given = omit $given "runAsUser" "runAsGroup" "fsGroup" "supplementalGroups" "seLinuxOptions" -}}
{{- end -}}
{{ mergeOverwrite (index . 1) $given | toYaml }}
{{- end }}
