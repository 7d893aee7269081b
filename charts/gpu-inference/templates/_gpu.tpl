{{/* How many pods there are, how they are replaced, and which nodes they may run on: what follows from the GPUs. */}}

{{/* The number of pods. */}}
{{- define "gpu-inference.replicas" -}}
{{- $values := include "gpu-inference.values" . | fromJson -}}
{{ $values.deployment.num_replicas | default 1 | int64 }}
{{- end }}

{{/*
The rollout's strategy. A surge pod is only asked for where the service's GPUs have room for it: otherwise it would
wait for a GPU that only the pods it is to replace can free, and the rollout would never end.
*/}}
{{- define "gpu-inference.strategy" -}}
{{- $values := include "gpu-inference.values" . | fromJson -}}
{{- $withSurge := mul (add1 (include "gpu-inference.replicas" .)) (int64 $values.deployment.gpu_cores) -}}
{{- $fits := le $withSurge (int64 $values.cluster.gpu_count) -}}
type: RollingUpdate
rollingUpdate:
  maxSurge: {{ ternary 1 0 (or $fits (eq $withSurge 0)) }}
  maxUnavailable: {{ ternary 0 1 (or $fits (eq $withSurge 0)) }}
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
{{- $tolerations := $values.tolerations -}}
{{- if gt (int64 $values.deployment.gpu_cores) 0 -}}
  {{- $gpu := dict "key" $values.cluster.gpu_resource "operator" "Exists" "effect" "NoSchedule" -}}
  {{- $tolerations = append $tolerations $gpu -}}
{{- end -}}
{{- with $tolerations }}{{ $_ := set $placement "tolerations" . }}{{ end -}}
{{- with $placement }}{{ toYaml . }}{{ end -}}
{{- end }}

{{/*
The affinity as JSON: the user's, with the GPU products required in each of its node selector terms, because a node
need only fulfil one of them. Takes the values.
*/}}
{{- define "gpu-inference.affinity" -}}
{{- $affinity := deepCopy .affinity -}}
{{- if and .cluster.gpu_products (gt (int64 .deployment.gpu_cores) 0) -}}
  {{- $product := dict "key" "nvidia.com/gpu.product" "operator" "In" "values" .cluster.gpu_products -}}
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
