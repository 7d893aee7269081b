{{/*
What no schema can say, and the essence of what it says: the cap holds at any size and under
--skip-schema-validation too. The sentences are those of harness/src/gpu_inference/values/rules.py; a test compares
them.
*/}}

{{/* A JSON list with one sentence for each mistake. Takes a list: the root context and the values. */}}
{{- define "gpu-inference.problems" -}}
{{- $values := index . 1 -}}
{{- $problems := include "gpu-inference.numberProblems" $values | fromJsonArray -}}
{{- /* Rules between numbers would only repeat, in odd words, that one of them is none. */ -}}
{{- if not $problems -}}
  {{- $problems = concat $problems (include "gpu-inference.deploymentProblems" $values.deployment | fromJsonArray) -}}
  {{- $problems = concat $problems (include "gpu-inference.capProblems" $values | fromJsonArray) -}}
{{- end -}}
{{- $problems = concat $problems (include "gpu-inference.nameProblems" . | fromJsonArray) -}}
{{- $problems = concat $problems (include "gpu-inference.keyProblems" $values | fromJsonArray) -}}
{{- $problems = concat $problems (include "gpu-inference.podProblems" $values | fromJsonArray) -}}
{{ $problems | toJson }}
{{- end }}

{{- define "gpu-inference.numberProblems" -}}
{{- $deployment := .deployment -}}
{{- $problems := list -}}
{{- range $name := list "cpu_cores" "cpu_cores_limit" "memory_gb" "memory_gb_limit" -}}
  {{- if hasKey $deployment $name -}}
    {{- $number := get $deployment $name -}}
    {{- if not (kindIs "float64" $number) -}}
      {{- $problems = append $problems (printf "deployment.%s must be a number." $name) -}}
    {{- else if le $number 0.0 -}}
      {{- $problems = append $problems (printf "Invalid configuration, %s must be greater than zero." $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range $name := list "num_replicas" "scoring_timeout_ms" "replica_max_concurrent_requests" "max_request_wait_time" "initial_delay_seconds" "period_seconds" "timeout_seconds" "success_threshold" "failure_threshold" -}}
  {{- if hasKey $deployment $name -}}
    {{- $number := get $deployment $name -}}
    {{- if include "gpu-inference.isWhole" $number | ne "true" -}}
      {{- $problems = append $problems (printf "deployment.%s must be a whole number, at most 2147483647." $name) -}}
    {{- else if lt $number 1.0 -}}
      {{- $problems = append $problems (printf "Invalid configuration, %s must be greater than zero." $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if include "gpu-inference.isWhole" $deployment.gpu_cores | ne "true" -}}
  {{- $problems = append $problems "deployment.gpu_cores must be a whole number, at most 2147483647." -}}
{{- else if lt $deployment.gpu_cores 0.0 -}}
  {{- $problems = append $problems "Invalid configuration, gpu_cores must be greater than or equal to zero." -}}
{{- end -}}
{{- range $path, $number := dict "cluster.gpu_count" .cluster.gpu_count "drain.preStopSleepSeconds" .drain.preStopSleepSeconds "drain.seconds" .drain.seconds -}}
  {{- if include "gpu-inference.isWhole" $number | ne "true" -}}
    {{- $problems = append $problems (printf "%s must be a whole number, at most 2147483647." $path) -}}
  {{- else if lt $number 0.0 -}}
    {{- $problems = append $problems (printf "%s must be greater than or equal to zero." $path) -}}
  {{- end -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}

{{/*
"true" for a whole number that fits into 32 bits, in which Kubernetes keeps it. More would overflow in the products
of the cap, and text would count as 0 there. All numbers are floats here, because the values went through JSON.
*/}}
{{- define "gpu-inference.isWhole" -}}
{{- if kindIs "float64" . -}}
{{- and (eq . (floor .)) (le . 2147483647.0) -}}
{{- end -}}
{{- end }}

{{- define "gpu-inference.deploymentProblems" -}}
{{- $problems := list -}}
{{- $notYet := "cannot be deployed by this version of the chart" -}}
{{- if .autoscale_enabled -}}
  {{- $problems = append $problems (printf "deployment.autoscale_enabled: true %s: set deployment.num_replicas instead." $notYet) -}}
{{- else if and (hasKey . "autoscale_enabled") (not (hasKey . "num_replicas")) -}}
  {{- $problems = append $problems "Invalid configuration, autoscale disabled but num_replicas not provided." -}}
{{- end -}}
{{- if .token_auth_enabled -}}
  {{- $problems = append $problems (printf "deployment.token_auth_enabled: true %s: use keys (deployment.auth_enabled: true)." $notYet) -}}
{{- end -}}
{{- if .collect_model_data -}}
  {{- $problems = append $problems (printf "deployment.collect_model_data: true %s: leave it out." $notYet) -}}
{{- end -}}
{{- if .enable_app_insights -}}
  {{- $problems = append $problems (printf "deployment.enable_app_insights: true %s: leave it out." $notYet) -}}
{{- end -}}
{{- range $name := list "cpu_cores" "memory_gb" -}}
  {{- $limit := get $ (printf "%s_limit" $name) -}}
  {{- if and $limit (lt (float64 $limit) (float64 (get $ $name))) -}}
    {{- $problems = append $problems (printf "Invalid configuration, %s_limit must be greater than or equal to %s." $name $name) -}}
  {{- end -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}

{{/* The cap: all pods together never need more GPUs than the cluster lends to the service. */}}
{{- define "gpu-inference.capProblems" -}}
{{- $problems := list -}}
{{- $replicas := int64 (default 1 .deployment.num_replicas) -}}
{{- $perPod := int64 .deployment.gpu_cores -}}
{{- $pool := int64 .cluster.gpu_count -}}
{{- $needed := mul $replicas $perPod -}}
{{- if gt $perPod $pool -}}
  {{- $problems = append $problems (printf "deployment.gpu_cores is %d, but cluster.gpu_count is %d, too few for one pod: set cluster.gpu_count to %d if the cluster has that many GPUs for this service, or deployment.gpu_cores to 0 to run on CPU." $perPod $pool $needed) -}}
{{- else if gt $perPod 0 -}}
  {{- $most := div $pool $perPod -}}
  {{- if gt $replicas $most -}}
    {{- $problems = append $problems (printf "deployment.num_replicas %d with deployment.gpu_cores %d needs %d GPUs, but cluster.gpu_count is %d: set deployment.num_replicas to %d or fewer, or cluster.gpu_count to %d if the cluster has that many GPUs for this service." $replicas $perPod $needed $pool $most $needed) -}}
  {{- end -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}

{{/* Takes a list: the root context and the values. */}}
{{- define "gpu-inference.nameProblems" -}}
{{- $root := index . 0 -}}
{{- $deployment := (index . 1).deployment -}}
{{- $problems := list -}}
{{- $name := include "gpu-inference.serviceName" $root -}}
{{- if not (regexMatch "^[a-z][-a-z0-9]{1,30}[a-z0-9]$" $name) -}}
  {{- $problems = append $problems (printf "Error, provided service name is invalid. It must only consist of lowercase letters, numbers, or dashes, start with a letter, end with a letter or number, and be between 3 and 32 characters long. (It is %q.)" $name) -}}
{{- end -}}
{{- if and $deployment.namespace (ne $deployment.namespace $root.Release.Namespace) -}}
  {{- $problems = append $problems (printf "deployment.namespace is %s, but the release goes to the namespace %s: give --namespace %s or leave deployment.namespace out." $deployment.namespace $root.Release.Namespace $deployment.namespace) -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}

{{- define "gpu-inference.keyProblems" -}}
{{- $problems := list -}}
{{- if and .deployment.secondary_key (not .deployment.primary_key) -}}
  {{- $problems = append $problems "deployment.secondary_key is given without deployment.primary_key: give both or neither." -}}
{{- end -}}
{{- if and .keys.existingSecret (or .deployment.primary_key .deployment.secondary_key) -}}
  {{- $problems = append $problems "keys.existingSecret and deployment.primary_key or secondary_key are both given: keep the keys in one place." -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}

{{- define "gpu-inference.podProblems" -}}
{{- $problems := list -}}
{{- $labels := .podLabels -}}
{{- range $name := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" -}}
  {{- if hasKey $labels $name -}}
    {{- $problems = append $problems (printf "podLabels must not set %s: the chart finds the service's pods by it." $name) -}}
  {{- end -}}
{{- end -}}
{{- $reserved := list "SERVICE_NAME" "SCORING_TIMEOUT_MS" "GPU_INFERENCE_FRONT_END" "GPU_INFERENCE_KEYS_DIR" "GPU_INFERENCE_MAX_CONCURRENT_REQUESTS" "GPU_INFERENCE_MAX_QUEUE_WAIT_MS" "GPU_INFERENCE_DRAIN_SECONDS" -}}
{{- $reliedOn := list "HEALTH_PORT" "SERVER_PORT" "WORKER_COUNT" -}}
{{- $times := dict -}}
{{- range .extraEnv -}}
  {{- $_ := set $times .name (add1 (default 0 (get $times .name))) -}}
{{- end -}}
{{- range $name := keys $times | sortAlpha -}}
  {{- if has $name $reserved -}}
    {{- $problems = append $problems (printf "extraEnv must not set %s: the chart sets it from its own values." $name) -}}
  {{- end -}}
  {{- if has $name $reliedOn -}}
    {{- $problems = append $problems (printf "extraEnv must not set %s: the chart relies on its default." $name) -}}
  {{- end -}}
  {{- if gt (get $times $name | int) 1 -}}
    {{- $problems = append $problems (printf "extraEnv sets %s %d times: keep one." $name (get $times $name)) -}}
  {{- end -}}
{{- end -}}
{{- range .extraEnv -}}
  {{- if and (hasKey . "value") (hasKey . "valueFrom") -}}
    {{- $problems = append $problems (printf "extraEnv gives %s both value and valueFrom: keep one." .name) -}}
  {{- end -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}
