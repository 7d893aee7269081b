{{/* Rules about what users add to the pods and to the release: nothing twice, nothing in the chart's own place. */}}

{{- define "gpu-inference.extraProblems" -}}
{{- $values := index . 1 -}}
{{- $problems := list -}}
{{- $volumes := list -}}
{{- range $values.extraVolumes }}{{ $volumes = append $volumes .name }}{{ end -}}
{{- $paths := list -}}
{{- range $values.extraVolumeMounts }}{{ $paths = append $paths .mountPath }}{{ end -}}
{{- $containers := concat $values.initContainers $values.extraContainers -}}
{{- $names := list -}}
{{- range $containers }}{{ $names = append $names .name }}{{ end -}}
{{- $reserved := "claim-[0-9a-f]{8}|(code|model-[0-9]+)(-ca)?|issuer|keys|model-data|model-scripts|shared-memory|tmp" -}}
{{- $problems = concat $problems (include "gpu-inference.clashes" (list "extraVolumes" "the name" $volumes $reserved) | fromJsonArray) -}}
{{- $reserved = "/dev/shm|/tmp|/(etc|var/lib)/gpu-inference(/.*)?" -}}
{{- $problems = concat $problems (include "gpu-inference.clashes" (list "extraVolumeMounts" "the path" $paths $reserved) | fromJsonArray) -}}
{{- $problems = concat $problems (include "gpu-inference.clashes" (list "initContainers and extraContainers" "the name" $names "scoring|(copy|fetch)-(code|model-[0-9]+)") | fromJsonArray) -}}
{{- range $containers -}}
  {{- $resources := .resources | default dict -}}
  {{- $gpu := $values.cluster.gpu_resource -}}
  {{- if or (hasKey ($resources.requests | default dict) $gpu) (hasKey ($resources.limits | default dict) $gpu) -}}
    {{- $problems = append $problems (printf "The container %s asks for %s, which would pass the cap of cluster.gpu_count: only deployment.gpu_cores gives a pod GPUs." .name $gpu) -}}
  {{- end -}}
{{- end -}}
{{- $odd := false -}}
{{- range $values.extraObjects -}}
  {{- if not (or (kindIs "string" .) (kindIs "map" .)) }}{{ $odd = true }}{{ end -}}
{{- end -}}
{{- if $odd -}}
  {{- $problems = append $problems "extraObjects must be a list of objects, as mappings or as text." -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}

{{/* Takes a list: where the names were given, what they are, the names, and a pattern of the chart's own. */}}
{{- define "gpu-inference.clashes" -}}
{{- $where := index . 0 -}}
{{- $what := index . 1 -}}
{{- $given := index . 2 -}}
{{- $own := index . 3 -}}
{{- $problems := list -}}
{{- range $name := $given | uniq | sortAlpha -}}
  {{- if regexMatch (printf "^(%s)$" $own) $name -}}
    {{- $problems = append $problems (printf "%s must not use %s %s: it is the chart's own." $where $what $name) -}}
  {{- end -}}
  {{- $times := 0 -}}
  {{- range $given }}{{ if eq . $name }}{{ $times = add1 $times }}{{ end }}{{ end -}}
  {{- if gt (int $times) 1 -}}
    {{- $problems = append $problems (printf "%s use %s %s %d times: keep one." $where $what $name (int $times)) -}}
  {{- end -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}
