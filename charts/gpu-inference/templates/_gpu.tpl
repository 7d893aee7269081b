{{/* How many pods there are, how they are replaced, and which nodes they may run on: what follows from the GPUs. */}}

{{/* The number of pods. */}}
{{- define "gpu-inference.replicas" -}}
{{- $values := include "gpu-inference.values" . | fromJson -}}
{{ $values.deployment.num_replicas | default 1 | int64 }}
{{- end }}

{{/* What one GPU is called where a person reads it. Takes the values. */}}
{{- define "gpu-inference.gpuName" -}}
{{- if .cluster.resource_claim.enabled }}the DeviceClass {{ .cluster.resource_claim.device_class_name }}{{ else }}{{ .cluster.gpu_resource }}{{ end -}}
{{- end }}

{{/* The number of pods that the service's GPUs can hold; nothing where pods need none. Takes the values. */}}
{{- define "gpu-inference.podsInPool" -}}
{{- if gt (int64 .deployment.gpu_cores) 0 -}}
{{ div (int64 .cluster.gpu_count) (int64 .deployment.gpu_cores) }}
{{- end -}}
{{- end }}

{{/* The largest number of pods that is ever asked for: the autoscaler's maximum where there is one. */}}
{{- define "gpu-inference.maxReplicas" -}}
{{- include "gpu-inference.mostReplicas" (include "gpu-inference.values" . | fromJson) -}}
{{- end }}

{{/* The same, for the rules, which ask before the values are checked. Takes the values. */}}
{{- define "gpu-inference.mostReplicas" -}}
{{- if .deployment.autoscale_enabled -}}
  {{- /* v1's default is 10, which few pools can hold. */ -}}
  {{- $default := min 10 (include "gpu-inference.podsInPool" . | default "10" | int64) -}}
  {{ .deployment.autoscale_max_replicas | default $default | int64 }}
{{- else -}}
  {{ .deployment.num_replicas | default 1 | int64 }}
{{- end -}}
{{- end }}

{{/*
Pods that a rollout adds before it takes any away: as many as the service's GPUs have room for, 1 at most; none where
a volume cannot be mounted a second time.
*/}}
{{- define "gpu-inference.maxSurge" -}}
{{- $values := include "gpu-inference.values" . | fromJson -}}
{{- $withSurge := mul (include "gpu-inference.maxReplicas" . | int64 | add1) (int64 $values.deployment.gpu_cores) -}}
{{- $fits := or (eq $withSurge 0) (le $withSurge (int64 $values.cluster.gpu_count)) -}}
{{ ternary 1 0 (and $fits (include "gpu-inference.tiedToOnePlace" $values | eq "false")) }}
{{- end }}

{{/*
The rollout's strategy. A surge pod is only asked for where the service's GPUs have room for it: otherwise it would
wait for a GPU that only the pods it is to replace can free, and the rollout would never end.
*/}}
{{- define "gpu-inference.strategy" -}}
{{- $surge := include "gpu-inference.maxSurge" . | int64 -}}
type: RollingUpdate
rollingUpdate:
  maxSurge: {{ $surge }}
  maxUnavailable: {{ sub 1 $surge }}
{{- end }}

{{/*
Where pods may run: nodeSelector, affinity and tolerations, as fields of a pod's spec. The Job gets the same, because
its image is the same and already lies on those nodes.
*/}}
{{- define "gpu-inference.placement" -}}
{{- $values := include "gpu-inference.values" . | fromJson -}}
{{- $placement := dict -}}
{{- with $values.nodeSelector }}{{ $_ := set $placement "nodeSelector" . }}{{ end -}}
{{- with include "gpu-inference.affinity" $values | fromJson }}{{ $_ := set $placement "affinity" . }}{{ end -}}
{{- with concat $values.tolerations (include "gpu-inference.gpuTolerations" $values | fromJsonArray) -}}
  {{- $_ := set $placement "tolerations" (uniq .) -}}
{{- end -}}
{{- with $placement }}{{ toYaml . }}{{ end -}}
{{- end }}

{{/* Tolerations for the taints that keep other pods from GPU nodes, as a JSON list. Takes the values. */}}
{{- define "gpu-inference.gpuTolerations" -}}
{{- $tolerations := list -}}
{{- if and .cluster.gpu_toleration (gt (int64 .deployment.gpu_cores) 0) -}}
  {{- $keys := list .cluster.gpu_resource -}}
  {{- /* A node's taint does not tell how its GPUs are cut. */ -}}
  {{- if hasPrefix "nvidia.com/mig-" .cluster.gpu_resource }}{{ $keys = append $keys "nvidia.com/gpu" }}{{ end -}}
  {{- range $keys -}}
    {{- $tolerations = append $tolerations (dict "key" . "operator" "Exists" "effect" "NoSchedule") -}}
  {{- end -}}
{{- end -}}
{{ $tolerations | toJson }}
{{- end }}

{{/*
The affinity as JSON: the user's, with the GPU products required in each of its node selector terms, because a node
need only fulfil one of them. Takes the values.
*/}}
{{- define "gpu-inference.affinity" -}}
{{- $affinity := deepCopy .affinity -}}
{{- if and .cluster.gpu_products (gt (int64 .deployment.gpu_cores) 0) -}}
  {{- $product := dict "key" .cluster.gpu_product_label "operator" "In" "values" .cluster.gpu_products -}}
  {{- $nodeAffinity := get $affinity "nodeAffinity" | default dict -}}
  {{- $required := get $nodeAffinity "requiredDuringSchedulingIgnoredDuringExecution" | default dict -}}
  {{- $terms := list -}}
  {{- range $term := get $required "nodeSelectorTerms" | default (list dict) -}}
    {{- $expressions := append (get $term "matchExpressions" | default list) $product -}}
    {{- $terms = append $terms (set $term "matchExpressions" $expressions) -}}
  {{- end -}}
  {{- $_ := set $required "nodeSelectorTerms" $terms -}}
  {{- $_ := set $nodeAffinity "requiredDuringSchedulingIgnoredDuringExecution" $required -}}
  {{- $_ := set $affinity "nodeAffinity" $nodeAffinity -}}
{{- end -}}
{{ $affinity | toJson }}
{{- end }}
