{{/* Security contexts of all pods of the release, and of their containers. */}}

{{/*
Security context of a pod under the restricted Pod Security standard, with the fields that the values add or override.
The image sets the user, and a cluster may choose another.
*/}}
{{- define "gpu-inference.podSecurityContext" -}}
{{- $restricted := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- include "gpu-inference.securityContext" (list . $restricted "podSecurityContext") -}}
{{- end }}

{{/* Security context of a container, likewise. */}}
{{- define "gpu-inference.containerSecurityContext" -}}
{{- $restricted := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- include "gpu-inference.securityContext" (list . $restricted "securityContext") -}}
{{- end }}

{{/*
Takes a list: the root context, the chart's own mapping, and the name of the value. OpenShift assigns users and groups
to each namespace, and rejects pods that name others.
*/}}
{{- define "gpu-inference.securityContext" -}}
{{- $root := index . 0 -}}
{{- $given := get $root.Values (index . 2) -}}
{{- if $root.Values.openshift -}}
  {{- $given = omit $given "runAsUser" "runAsGroup" "fsGroup" "supplementalGroups" "seLinuxOptions" -}}
{{- end -}}
{{ mergeOverwrite (index . 1) $given | toYaml }}
{{- end }}
