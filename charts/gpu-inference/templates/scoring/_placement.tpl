{{/* Nodes that pods may run on, and how the scoring pods are spread over them. */}}

{{/*
Where pods may run: nodeSelector, affinity and tolerations, as fields of a pod's spec. The Job gets the same, because
its image is the same and already lies on those nodes.
*/}}
{{- define "gpu-inference.placement" -}}
{{- $placement := dict -}}
{{- with .Values.nodeSelector }}{{ $_ := set $placement "nodeSelector" . }}{{ end -}}
{{- with include "gpu-inference.affinity" . | fromJson }}{{ $_ := set $placement "affinity" . }}{{ end -}}
{{- with concat .Values.tolerations (include "gpu-inference.gpuTolerations" . | fromJsonArray) -}}
  {{- $_ := set $placement "tolerations" (uniq .) -}}
{{- end -}}
{{- with $placement }}{{ toYaml . }}{{ end -}}
{{- end }}

{{/* Tolerations for the taints that keep other pods from GPU nodes, as a JSON list. */}}
{{- define "gpu-inference.gpuTolerations" -}}
{{- $tolerations := list -}}
{{- if and .Values.cluster.gpu_toleration (gt (int64 .Values.deployment.gpu_cores) 0) -}}
  {{- $keys := list .Values.cluster.gpu_resource -}}
  {{- /* A node's taint does not tell how its GPUs are cut. */ -}}
  {{- if hasPrefix "nvidia.com/mig-" .Values.cluster.gpu_resource }}{{ $keys = append $keys "nvidia.com/gpu" }}{{ end -}}
  {{- range $keys -}}
    {{- $tolerations = append $tolerations (dict "key" . "operator" "Exists" "effect" "NoSchedule") -}}
  {{- end -}}
{{- end -}}
{{ $tolerations | toJson }}
{{- end }}

{{/*
The affinity as JSON: the user's, with the GPU products required in each of its node selector terms, because a node
need only fulfil one of them.
*/}}
{{- define "gpu-inference.affinity" -}}
{{- $affinity := deepCopy .Values.affinity -}}
{{- if and .Values.cluster.gpu_products (gt (int64 .Values.deployment.gpu_cores) 0) -}}
  {{- $product := dict "key" .Values.cluster.gpu_product_label "operator" "In" "values" .Values.cluster.gpu_products -}}
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

{{/*
How the pods are spread over the nodes: the user's constraints, each for the service's own pods unless it says which.
Without a selector Kubernetes would count none.
*/}}
{{- define "gpu-inference.topologySpreadConstraints" -}}
{{- $own := dict "matchLabels" (include "gpu-inference.selectorLabels" (list . "scoring") | fromYaml) -}}
{{- $constraints := list -}}
{{- range .Values.topologySpreadConstraints -}}
  {{- $constraints = append $constraints (set (deepCopy .) "labelSelector" (.labelSelector | default $own)) -}}
{{- end -}}
{{- with $constraints }}{{ toYaml . }}{{ end -}}
{{- end }}
