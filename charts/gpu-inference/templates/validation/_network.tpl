{{/* Rules about the network of the service and its metrics, which nobody else would tell as early or as clearly. */}}

{{- define "gpu-inference.networkProblems" -}}
{{- $values := index . 1 -}}
{{- $service := $values.service -}}
{{- $problems := list -}}
{{- if eq $service.type "ClusterIP" -}}
  {{- range $name := list "nodePort" "externalTrafficPolicy" -}}
    {{- if get $service $name -}}
      {{- $problems = append $problems (printf "service.%s needs service.type NodePort or LoadBalancer: set it, or leave service.%s out." $name $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if ne $service.type "LoadBalancer" -}}
  {{- range $name := list "loadBalancerClass" "loadBalancerSourceRanges" -}}
    {{- if get $service $name -}}
      {{- $problems = append $problems (printf "service.%s needs service.type LoadBalancer: set it, or leave service.%s out." $name $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if lt (len (uniq $service.ipFamilies)) (len $service.ipFamilies) -}}
  {{- $problems = append $problems "service.ipFamilies names a family twice: keep one." -}}
{{- else if and (eq (len $service.ipFamilies) 2) (has $service.ipFamilyPolicy (list "" "SingleStack")) -}}
  {{- $problems = append $problems "service.ipFamilies names two families: set service.ipFamilyPolicy to PreferDualStack or RequireDualStack." -}}
{{- end -}}
{{- $policy := $values.networkPolicy -}}
{{- if and $policy.enabled $policy.allowExternalEgress $policy.egress -}}
  {{- $problems = append $problems "networkPolicy.egress has no effect while networkPolicy.allowExternalEgress is true: set networkPolicy.allowExternalEgress to false, or leave networkPolicy.egress out." -}}
{{- end -}}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) -}}
  {{- $problems = append $problems "httpRoute.enabled needs httpRoute.parentRefs: name the Gateway that the route belongs to." -}}
{{- end -}}
{{- if and $values.metrics.podMonitor.enabled $values.metrics.serviceMonitor.enabled -}}
  {{- $problems = append $problems "metrics.podMonitor and metrics.serviceMonitor would both scrape the pods, so that each request counts twice: enable one." -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}
