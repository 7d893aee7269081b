{{/* Parts of a container: its resources, its security. */}}

{{/* CPU cores as Kubernetes writes them, which counts in thousandths of a core. Takes a number of cores. */}}
{{- define "gpu-inference.cpuQuantity" -}}
{{- if eq (float64 .) (floor .) -}}
{{ int64 . }}
{{- else -}}
{{ mulf . 1000 | ceil | int64 }}m
{{- end -}}
{{- end }}

{{/*
Memory as Kubernetes writes it: in the largest unit that says it exactly, because it takes no fraction of a byte.
Takes a number of units of 2^30 bytes.
*/}}
{{- define "gpu-inference.memoryQuantity" -}}
{{- $mebibytes := mulf . 1024 -}}
{{- if eq (float64 .) (floor .) -}}
{{ int64 . }}Gi
{{- else if eq $mebibytes (floor $mebibytes) -}}
{{ int64 $mebibytes }}Mi
{{- else -}}
{{ mulf . 1073741824 | ceil | int64 }}
{{- end -}}
{{- end }}

{{/* The scoring container's resources. GPUs cannot be overcommitted, so that Kubernetes wants limit = request. */}}
{{- define "gpu-inference.resources" -}}
{{- $values := include "gpu-inference.values" . | fromJson -}}
{{- $deployment := $values.deployment -}}
{{- $requests := dict "cpu" (include "gpu-inference.cpuQuantity" $deployment.cpu_cores) -}}
{{- /* What lies in /dev/shm is memory of the pod. */ -}}
{{- $shared := float64 $values.sharedMemory.sizeGb -}}
{{- $_ := set $requests "memory" (addf $deployment.memory_gb $shared | include "gpu-inference.memoryQuantity") -}}
{{- $limits := dict -}}
{{- with $deployment.cpu_cores_limit }}{{ $_ := set $limits "cpu" (include "gpu-inference.cpuQuantity" .) }}{{ end -}}
{{- with $deployment.memory_gb_limit }}{{ $_ := set $limits "memory" (addf . $shared | include "gpu-inference.memoryQuantity") }}{{ end -}}
{{- if and (gt (int64 $deployment.gpu_cores) 0) (not $values.cluster.resource_claim.enabled) -}}
  {{- $gpus := $deployment.gpu_cores | int64 | toString -}}
  {{- $_ := set $requests $values.cluster.gpu_resource $gpus -}}
  {{- $_ := set $limits $values.cluster.gpu_resource $gpus -}}
{{- end -}}
{{- $resources := dict "requests" $requests -}}
{{- with $limits }}{{ $_ := set $resources "limits" . }}{{ end -}}
{{- with include "gpu-inference.resourceClaims" . -}}
  {{- $_ := set $resources "claims" (list (dict "name" "gpus")) -}}
{{- end -}}
{{ toYaml $resources }}
{{- end }}

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
{{- $values := include "gpu-inference.values" (index . 0) | fromJson -}}
{{- $given := get $values (index . 2) -}}
{{- if $values.openshift -}}
  {{- $given = omit $given "runAsUser" "runAsGroup" "fsGroup" "supplementalGroups" "seLinuxOptions" -}}
{{- end -}}
{{ mergeOverwrite (index . 1) $given | toYaml }}
{{- end }}
