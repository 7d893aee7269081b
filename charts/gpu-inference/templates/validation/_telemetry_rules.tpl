{{/* Rules for collected rows and traces: unlike v1, a cluster has no default destination for them. */}}

{{- define "gpu-inference.telemetryErrors" -}}
{{- $errors := list -}}
{{- $collection := .Values.dataCollection -}}
{{- $kinds := keys $collection.volume | sortAlpha -}}
{{- if and .Values.deployment.collect_model_data (not $kinds) -}}
  {{- $errors = append $errors "deployment.collect_model_data: true needs dataCollection.volume, where the rows go: for example {persistentVolumeClaim: {claimName: NAME}}, or {emptyDir: {sizeLimit: 2Gi}}, which goes with the pod." -}}
{{- end -}}
{{- if and $kinds (or (gt (len $kinds) 1) (not (has (first $kinds) (list "csi" "emptyDir" "ephemeral" "persistentVolumeClaim")))) -}}
  {{- $errors = append $errors (printf "dataCollection.volume must have just one of csi, emptyDir, ephemeral and persistentVolumeClaim, which can be written to and fit restricted Pod Security, but has %s." (join ", " $kinds)) -}}
{{- end -}}
{{- if lt $collection.maxTotalSizeMb (mulf 2 $collection.maxFileSizeMb) -}}
  {{- $errors = append $errors (printf "dataCollection.maxTotalSizeMb is %d, but must be at least twice dataCollection.maxFileSizeMb, which is %d." (int64 $collection.maxTotalSizeMb) (int64 $collection.maxFileSizeMb)) -}}
{{- end -}}
{{- $endpoint := .Values.telemetry.otlpEndpoint -}}
{{- if and .Values.deployment.enable_app_insights (not $endpoint) -}}
  {{- $errors = append $errors "deployment.enable_app_insights: true needs telemetry.otlpEndpoint, the URL of an OpenTelemetry collector that takes OTLP over HTTP, such as http://otel-collector.monitoring:4318." -}}
{{- end -}}
{{- if and $endpoint (not (regexMatch "^https?://([^/:@?#\\s]+|\\[[0-9a-fA-F:.]+\\])(:[0-9]{1,5})?(/[^\\s?#]*)?$" $endpoint)) -}}
  {{- $errors = append $errors (printf "telemetry.otlpEndpoint is %q, but must be a URL such as http://otel-collector.monitoring:4318, without user, password and query: credentials go into telemetry.headersSecret." $endpoint) -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}
