{{/* Rules for Service, routes, NetworkPolicy and monitors, which would otherwise fail late or silently. */}}

{{- define "gpu-inference.networkErrors" -}}
{{- $service := .Values.service -}}
{{- $errors := list -}}
{{- if eq $service.type "ClusterIP" -}}
  {{- range $name := list "nodePort" "externalTrafficPolicy" -}}
    {{- if get $service $name -}}
      {{- $errors = append $errors (printf "service.%s needs service.type NodePort or LoadBalancer: set it, or leave service.%s out." $name $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if ne $service.type "LoadBalancer" -}}
  {{- range $name := list "loadBalancerClass" "loadBalancerSourceRanges" -}}
    {{- if get $service $name -}}
      {{- $errors = append $errors (printf "service.%s needs service.type LoadBalancer: set it, or leave service.%s out." $name $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if lt (len (uniq $service.ipFamilies)) (len $service.ipFamilies) -}}
  {{- $errors = append $errors "service.ipFamilies names a family twice: keep one." -}}
{{- else if and (eq (len $service.ipFamilies) 2) (has $service.ipFamilyPolicy (list "" "SingleStack")) -}}
  {{- $errors = append $errors "service.ipFamilies names two families: set service.ipFamilyPolicy to PreferDualStack or RequireDualStack." -}}
{{- end -}}
{{- $policy := .Values.networkPolicy -}}
{{- if and $policy.enabled $policy.allowExternalEgress $policy.egress -}}
  {{- $errors = append $errors "networkPolicy.egress has no effect while networkPolicy.allowExternalEgress is true: set networkPolicy.allowExternalEgress to false, or leave networkPolicy.egress out." -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
  {{- $errors = append $errors "httpRoute.enabled needs httpRoute.parentRefs: name the Gateway that the route belongs to." -}}
{{- end -}}
{{- if and .Values.metrics.podMonitor.enabled .Values.metrics.serviceMonitor.enabled -}}
  {{- $errors = append $errors "metrics.podMonitor and metrics.serviceMonitor would both scrape the pods, so that each request counts twice: enable one." -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}
