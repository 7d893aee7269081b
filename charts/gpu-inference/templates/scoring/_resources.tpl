{{/* Resources of the scoring container: CPU, memory, shared memory, and GPUs from a device plugin or a DRA driver. */}}

{{/* CPU as a Kubernetes quantity, in whole cores or in thousandths. Takes a number of cores. */}}
{{- define "gpu-inference.cpuQuantity" -}}
{{- if eq (float64 .) (floor .) -}}
{{ int64 . }}
{{- else -}}
{{ mulf . 1000 | ceil | int64 }}m
{{- end -}}
{{- end }}

{{/*
Memory as a Kubernetes quantity, in the largest unit that is exact, because fractions of a byte are invalid. Takes a
number of units of 2^30 bytes.
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

{{/* Resources of the scoring container. GPUs cannot be overcommitted, so Kubernetes requires limit = request. */}}
{{- define "gpu-inference.resources" -}}
{{- $deployment := .Values.deployment -}}
{{- $requests := dict "cpu" (include "gpu-inference.cpuQuantity" $deployment.cpu_cores) -}}
{{- /* Content of /dev/shm counts as memory of the pod. */ -}}
{{- $shared := float64 .Values.sharedMemory.sizeGb -}}
{{- $_ := set $requests "memory" (addf $deployment.memory_gb $shared | include "gpu-inference.memoryQuantity") -}}
{{- $limits := dict -}}
{{- with $deployment.cpu_cores_limit }}{{ $_ := set $limits "cpu" (include "gpu-inference.cpuQuantity" .) }}{{ end -}}
{{- with $deployment.memory_gb_limit }}{{ $_ := set $limits "memory" (addf . $shared | include "gpu-inference.memoryQuantity") }}{{ end -}}
{{- if and (gt (int64 $deployment.gpu_cores) 0) (not .Values.cluster.resource_claim.enabled) -}}
  {{- $gpus := $deployment.gpu_cores | int64 | toString -}}
  {{- $_ := set $requests .Values.cluster.gpu_resource $gpus -}}
  {{- $_ := set $limits .Values.cluster.gpu_resource $gpus -}}
{{- end -}}
{{- $resources := dict "requests" $requests -}}
{{- with $limits }}{{ $_ := set $resources "limits" . }}{{ end -}}
{{- with include "gpu-inference.resourceClaims" . -}}
  {{- $_ := set $resources "claims" (list (dict "name" "gpus")) -}}
{{- end -}}
{{ toYaml $resources }}
{{- end }}

{{/* /dev/shm with the size of sharedMemory.sizeGb, instead of the container runtime's 64 MiB. */}}
{{- define "gpu-inference.sharedMemoryVolumes" -}}
{{- with .Values.sharedMemory.sizeGb -}}
- name: shared-memory
  emptyDir:
    medium: Memory
    sizeLimit: {{ include "gpu-inference.memoryQuantity" . }}
{{- end -}}
{{- end }}

{{- define "gpu-inference.sharedMemoryMounts" -}}
{{- if .Values.sharedMemory.sizeGb -}}
- name: shared-memory
  mountPath: /dev/shm
{{- end -}}
{{- end }}

{{/*
Spec of the ResourceClaimTemplate. It is a helper because the template's name contains its hash: the spec is immutable
(docs/decisions.md 11).
*/}}
{{- define "gpu-inference.resourceClaimSpec" -}}
devices:
  requests:
    - name: gpus
      exactly:
        deviceClassName: {{ .Values.cluster.resource_claim.device_class_name }}
        allocationMode: ExactCount
        count: {{ .Values.deployment.gpu_cores | int64 }}
        {{- with .Values.cluster.resource_claim.selectors }}
        selectors:
          {{- range . }}
          - cel:
              expression: {{ quote . }}
          {{- end }}
        {{- end }}
{{- end }}

{{- define "gpu-inference.resourceClaimTemplateName" -}}
{{ include "gpu-inference.serviceName" . }}-gpus-{{ include "gpu-inference.resourceClaimSpec" . | sha256sum | trunc 8 }}
{{- end }}

{{/* Claims of the pods, as items of a YAML list; empty if GPUs are an extended resource, or pods need none. */}}
{{- define "gpu-inference.resourceClaims" -}}
{{- if and .Values.cluster.resource_claim.enabled (gt (int64 .Values.deployment.gpu_cores) 0) -}}
- name: gpus
  resourceClaimTemplateName: {{ include "gpu-inference.resourceClaimTemplateName" . }}
{{- end -}}
{{- end }}
