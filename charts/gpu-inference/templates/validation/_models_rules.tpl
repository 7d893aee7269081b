{{/* Rules for models and code: each has at most one source, with everything that the pods need. */}}

{{- define "gpu-inference.modelErrors" -}}
{{- $errors := list -}}
{{- $pods := include "gpu-inference.maxReplicas" . | int64 -}}
{{- $times := dict -}}
{{- range $index, $model := .Values.models -}}
  {{- $where := printf "models[%d]" $index -}}
  {{- $errors = concat $errors (include "gpu-inference.oneModelErrors" (list $where $model) | fromJsonArray) -}}
  {{- $errors = concat $errors (include "gpu-inference.sourceErrors" (list $ $where $model $pods) | fromJsonArray) -}}
  {{- $version := printf "Model %s, version %d," $model.name (int64 $model.version) -}}
  {{- $_ := set $times $version (add1 (default 0 (get $times $version))) -}}
{{- end -}}
{{- range $version, $number := $times -}}
  {{- if gt (int $number) 1 -}}
    {{- $errors = append $errors (printf "%s is given %d times: a version is one file or folder." $version $number) -}}
  {{- end -}}
{{- end -}}
{{- $errors = concat $errors (include "gpu-inference.sourceErrors" (list $ "inference" .Values.inference $pods) | fromJsonArray) -}}
{{- $errors = concat $errors (include "gpu-inference.inferenceErrors" .Values.inference | fromJsonArray) -}}
{{ $errors | toJson }}
{{- end }}

{{/* Takes a list: the model's path in the values, and the model. */}}
{{- define "gpu-inference.oneModelErrors" -}}
{{- $where := first . -}}
{{- $model := last . -}}
{{- $errors := list -}}
{{- if not (regexMatch "^[a-zA-Z0-9][a-zA-Z0-9._-]{0,254}$" $model.name) -}}
  {{- $errors = append $errors (printf "Error, provided model name \"%s\" is invalid. It must only consist of letters, numbers, dashes, periods, or underscores, start with a letter or number, and be between 1 and 255 characters long." $model.name) -}}
{{- end -}}
{{- if not $model.entry -}}
  {{- $source := $model.download -}}
  {{- if and (or $source.url $source.existingSecret) (not $source.archive) (not (include "gpu-inference.fileName" $source.url)) -}}
    {{- $errors = append $errors (printf "%s.entry is missing: the name of the file, which the URL does not tell." $where) -}}
  {{- end -}}
  {{- if gt (len $model.configMap.keys) 1 -}}
    {{- $errors = append $errors (printf "%s.entry is missing: the name of the folder that holds the ConfigMap's keys." $where) -}}
  {{- end -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}

{{/* Takes a list: the root context, the path in the values, the model or inference, and the maximum number of pods. */}}
{{- define "gpu-inference.sourceErrors" -}}
{{- $version := (first .).Capabilities.KubeVersion -}}
{{- $where := index . 1 -}}
{{- $given := index . 2 -}}
{{- $pods := last . -}}
{{- $errors := list -}}
{{- $sources := include "gpu-inference.sourcesGiven" $given | fromJsonArray -}}
{{- if gt (len $sources) 1 -}}
  {{- $errors = append $errors (printf "%s has %s: keep one of them." $where (join " and " $sources)) -}}
{{- end -}}
{{- $source := get $given "image" -}}
{{- if and $source.subPath (not $source.reference) -}}
  {{- $errors = append $errors (printf "%s.image.reference is missing." $where) -}}
{{- end -}}
{{- if and $source.reference (semverCompare "<1.35-0" $version.Version) -}}
  {{- $errors = append $errors (printf "%s.image needs Kubernetes 1.35 or newer, which mounts images as volumes; this is %s. Take another source." $where $version.Version) -}}
{{- end -}}
{{- $source = $given.persistentVolumeClaim -}}
{{- $at := printf "%s.persistentVolumeClaim" $where -}}
{{- if and $source.subPath (not $source.claimName) -}}
  {{- $errors = append $errors (printf "%s.claimName is missing." $at) -}}
{{- end -}}
{{- if and $source.claimName (not $source.subPath) -}}
  {{- $errors = append $errors (printf "%s.subPath is missing: the one file or folder to mount, because a volume's root may hold more, lost+found for example." $at) -}}
{{- end -}}
{{- if and $source.claimName (gt $pods 1) -}}
  {{- if and (eq $source.accessMode "ReadWriteOnce") (not $source.singleNode) -}}
    {{- $errors = append $errors (printf "%s.accessMode is ReadWriteOnce, so that one node at a time can mount the volume, but the service may have %d pods: those on other nodes would wait for ever. Use a volume with ReadOnlyMany or ReadWriteMany, or one pod; or, if all pods run on one node, set singleNode to true." $at $pods) -}}
  {{- else if eq $source.accessMode "ReadWriteOncePod" -}}
    {{- $errors = append $errors (printf "%s.accessMode is ReadWriteOncePod, so that one pod at a time can mount the volume, but the service may have %d pods. Use a volume with ReadOnlyMany or ReadWriteMany, or one pod." $at $pods) -}}
  {{- end -}}
{{- end -}}
{{- $source = $given.download -}}
{{- $at = printf "%s.download" $where -}}
{{- if or $source.url $source.existingSecret -}}
  {{- if not $source.sha256 -}}
    {{- $errors = append $errors (printf "%s.sha256 is missing: what sha256sum says of the file." $at) -}}
  {{- end -}}
  {{- if or (regexMatch "^[^/]*://[^/]*@" $source.url) (regexMatch "(?i)[?&][^=&]*(sig|token|secret|password|credential|key)[^=&]*=" $source.url) -}}
    {{- $errors = append $errors (printf "%s.url seems to carry a credential, which everybody could read in the pods: put the whole URL into a Secret, under the key url, and name that in existingSecret instead." $at) -}}
  {{- else if and $source.url (not (regexMatch "^https?://[^/?#@\\s]+([/?][!-~]*)?$" $source.url)) -}}
    {{- $errors = append $errors (printf "%s.url must have the form https://HOST/PATH." $at) -}}
  {{- end -}}
{{- else if or $source.sha256 $source.archive $source.caConfigMap -}}
  {{- $errors = append $errors (printf "%s.url is missing." $at) -}}
{{- end -}}
{{- $source = $given.configMap -}}
{{- $at = printf "%s.configMap" $where -}}
{{- if and $source.keys (not $source.name) -}}
  {{- $errors = append $errors (printf "%s.name is missing." $at) -}}
{{- end -}}
{{- if and $source.name (not $source.keys) -}}
  {{- $errors = append $errors (printf "%s.keys is missing: the keys that become files." $at) -}}
{{- end -}}
{{- range $key := uniq $source.keys -}}
  {{- $times := 0 -}}
  {{- range $source.keys }}{{ if eq . $key }}{{ $times = add1 $times }}{{ end }}{{ end -}}
  {{- if gt (int $times) 1 -}}
    {{- $errors = append $errors (printf "%s.keys names %s %d times: keep one." $at $key $times) -}}
  {{- end -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}

{{/* Takes the section inference. */}}
{{- define "gpu-inference.inferenceErrors" -}}
{{- $errors := list -}}
{{- $script := .entryScript -}}
{{- if and (include "gpu-inference.sourcesGiven" . | fromJsonArray) (not $script) -}}
  {{- $errors = append $errors "inference.entryScript is missing: the path in the source folder, score.py for example." -}}
{{- end -}}
{{- if eq .sourceDirectory "azureml-models" -}}
  {{- $errors = append $errors "inference.sourceDirectory cannot be azureml-models, where the models are." -}}
{{- end -}}
{{- range $what, $known := dict "files" (keys .files) "configMap.keys" .configMap.keys -}}
  {{- if and $script $known (not (has $script $known)) -}}
    {{- $errors = append $errors (printf "inference.entryScript is %s, which is not in inference.%s." $script $what) -}}
  {{- end -}}
{{- end -}}
{{- $size := 0 -}}
{{- range $path, $text := .files -}}
  {{- if not (regexMatch "^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*(/[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*)*$" $path) -}}
    {{- $errors = append $errors (printf "inference.files has the path \"%s\": use letters, digits, dashes, underscores and single dots, and slashes between folders." $path) -}}
  {{- end -}}
  {{- $size = add $size (len (toString $text)) -}}
{{- end -}}
{{- if gt (int $size) 524288 -}}
  {{- $errors = append $errors (printf "inference.files holds %d bytes, more than 524288: put the source folder into an image, a volume, or an archive behind a URL." $size) -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}
