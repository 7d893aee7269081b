{{/*
Models and code that are not in the image. Whatever the source, the pods see v1's layout: each model as the only file
or folder in azureml-models/NAME/VERSION, and the code in its source folder. Volumes are mounted by subPath, which hides
other content (lost+found) and Kubernetes' own links (..data); see docs/decisions.md 27.
*/}}

{{- define "gpu-inference.appRoot" -}}
/var/azureml-app
{{- end }}

{{/* Kinds of the given sources, as a JSON list. Takes a model, or the section inference. */}}
{{- define "gpu-inference.sourcesGiven" -}}
{{- $given := list -}}
{{- if (get . "image").reference }}{{ $given = append $given "image" }}{{ end -}}
{{- if .persistentVolumeClaim.claimName }}{{ $given = append $given "persistentVolumeClaim" }}{{ end -}}
{{- if or .download.url .download.existingSecret }}{{ $given = append $given "download" }}{{ end -}}
{{- if .configMap.name }}{{ $given = append $given "configMap" }}{{ end -}}
{{- if .files }}{{ $given = append $given "files" }}{{ end -}}
{{ $given | toJson }}
{{- end }}

{{/*
Contents to mount or fetch, as a JSON list of mappings: id (name of the volume), what (name in messages), kind (of the
source; copy is a volume that is copied), source, folder (target), and entry (name in the folder; empty if only the
archive or the image defines it).
*/}}
{{- define "gpu-inference.contents" -}}
{{- $blobfuse := .Values.deployment.blobfuse_enabled -}}
{{- $contents := list -}}
{{- range $index, $model := .Values.models -}}
  {{- $given := include "gpu-inference.sourcesGiven" $model | fromJsonArray -}}
  {{- if $given -}}
    {{- $kind := first $given -}}
    {{- $source := get $model $kind -}}
    {{- $own := dict "configMap" (first ($source.keys | default (list ""))) "download" (include "gpu-inference.fileName" ($source.url | default "")) -}}
    {{- $entry := $model.entry | default (get $own $kind) -}}
    {{- if $source.archive }}{{ $entry = $model.entry }}{{ end -}}
    {{- if $source.subPath }}{{ $entry = $model.entry | default (base $source.subPath) }}{{ end -}}
    {{- if and (eq $kind "persistentVolumeClaim") (not $blobfuse) }}{{ $kind = "copy" }}{{ end -}}
    {{- $folder := printf "%s/azureml-models/%s/%d" (include "gpu-inference.appRoot" $) $model.name (int64 $model.version) -}}
    {{- $contents = append $contents (dict "id" (printf "model-%d" $index) "what" (printf "Model %s, version %d," $model.name (int64 $model.version)) "kind" $kind "source" $source "folder" $folder "entry" $entry) -}}
  {{- end -}}
{{- end -}}
{{- $given := include "gpu-inference.sourcesGiven" .Values.inference | fromJsonArray -}}
{{- if $given -}}
  {{- $kind := first $given -}}
  {{- $contents = append $contents (dict "id" "code" "what" "The code" "kind" $kind "source" (get .Values.inference $kind) "folder" (include "gpu-inference.appRoot" $) "entry" .Values.inference.sourceDirectory) -}}
{{- end -}}
{{ $contents | toJson }}
{{- end }}

{{/* File name in a URL; empty if it has unusual characters. */}}
{{- define "gpu-inference.fileName" -}}
{{- $path := regexReplaceAll "[?#].*$" . "" -}}
{{- $name := regexFind "[^/]*$" (regexReplaceAll "^[a-z]+://[^/]*" $path "") -}}
{{- if regexMatch "^[A-Za-z0-9_-][A-Za-z0-9_.-]*$" $name }}{{ $name }}{{ end -}}
{{- end }}

{{- define "gpu-inference.modelEnv" -}}
{{- $root := include "gpu-inference.appRoot" . -}}
{{- if or .Values.models .Values.inference.entryScript }}
- name: AML_APP_ROOT
  value: {{ $root }}
{{- end }}
{{- if eq (len .Values.models) 1 }}
- name: AZUREML_MODEL_DIR
  {{- with first .Values.models }}
  value: {{ printf "%s/azureml-models/%s/%d" $root .name (int64 .version) | quote }}
  {{- end }}
{{- else if .Values.models }}
- name: AZUREML_MODEL_DIR
  value: {{ $root }}/azureml-models
{{- end }}
{{- with .Values.inference.entryScript }}
- name: AZUREML_SOURCE_DIRECTORY
  value: {{ $.Values.inference.sourceDirectory | quote }}
- name: AZUREML_ENTRY_SCRIPT
  value: {{ printf "%s/%s" $.Values.inference.sourceDirectory . | quote }}
{{- end }}
{{- end }}

{{- define "gpu-inference.modelMounts" -}}
{{- range include "gpu-inference.contents" . | fromJsonArray }}
  {{- $content := . -}}
  {{- /* A whole image is the version's folder, because container runtimes mount folders of images, but not files
     (docs/decisions.md 32). */ -}}
  {{- $path := printf "%s/%s" .folder .entry | trimSuffix "/" -}}
  {{- if eq .kind "image" }}
- name: {{ .id }}
  mountPath: {{ $path | quote }}
  {{- with .source.subPath }}
  subPath: {{ quote . }}
  {{- end }}
  readOnly: true
  {{- else if eq .kind "persistentVolumeClaim" }}
- name: {{ include "gpu-inference.claimVolumeName" .source }}
  mountPath: {{ $path | quote }}
  subPath: {{ .source.subPath | quote }}
  readOnly: true
  {{- else if eq .kind "configMap" }}
    {{- $several := or (eq .id "code") (gt (len .source.keys) 1) }}
    {{- range $key := .source.keys }}
- name: {{ $content.id }}
  mountPath: {{ ternary (printf "%s/%s" $path $key) $path $several | quote }}
  subPath: {{ $key | quote }}
  readOnly: true
    {{- end }}
  {{- else if eq .kind "files" }}
    {{- range $file, $text := .source }}
- name: code
  mountPath: {{ printf "%s/%s" $path $file | quote }}
  subPath: {{ include "gpu-inference.fileKey" $file | quote }}
  readOnly: true
    {{- end }}
  {{- else if eq .id "code" }}
- name: code
  mountPath: {{ $path | quote }}
  subPath: {{ printf "content/%s" .entry | quote }}
  readOnly: true
  {{- else }}
- name: {{ .id }}
  mountPath: {{ .folder | quote }}
  subPath: content
  readOnly: true
  {{- end }}
{{- end }}
{{- end }}

{{/* Volume of a claim; several models may share it. */}}
{{- define "gpu-inference.claimVolumeName" -}}
claim-{{ .claimName | sha256sum | trunc 8 }}
{{- end }}

{{/* Annotation that changes with inference.files, so that a change replaces the pods. */}}
{{- define "gpu-inference.modelAnnotations" -}}
{{- with .Values.inference.files }}
checksum/code: {{ toJson . | sha256sum }}
{{- end }}
{{- end }}

{{/* Key of a file in the ConfigMap, in which slashes are not allowed. */}}
{{- define "gpu-inference.fileKey" -}}
{{ . | replace "/" ".." }}
{{- end }}

{{- define "gpu-inference.modelVolumes" -}}
{{- $root := . -}}
{{- $claims := list -}}
{{- range include "gpu-inference.contents" . | fromJsonArray }}
  {{- if has .kind (list "persistentVolumeClaim" "copy") }}
    {{- if not (has .source.claimName $claims) }}
      {{- $claims = append $claims .source.claimName }}
- name: {{ include "gpu-inference.claimVolumeName" .source }}
  persistentVolumeClaim:
    claimName: {{ .source.claimName | quote }}
    readOnly: true
    {{- end }}
  {{- end }}
  {{- if eq .kind "image" }}
- name: {{ .id }}
  image:
    reference: {{ include "gpu-inference.imageReference" (list $root .source) | quote }}
    pullPolicy: {{ .source.pullPolicy }}
  {{- else if eq .kind "configMap" }}
- name: {{ .id }}
  configMap:
    name: {{ .source.name | quote }}
    items:
      {{- range .source.keys }}
      - key: {{ quote . }}
        path: {{ quote . }}
      {{- end }}
  {{- else if eq .kind "files" }}
- name: {{ .id }}
  configMap:
    name: {{ include "gpu-inference.serviceName" $root }}-code
  {{- else if eq .kind "copy" }}
- name: {{ .id }}
  emptyDir: {}
  {{- else if eq .kind "download" }}
- name: {{ .id }}
  emptyDir:
    {{- /* The volume holds both an archive and its unpacked content. */}}
    sizeLimit: {{ mulf .source.sizeLimitGi (empty .source.archive | ternary 1.0 2.0) | include "gpu-inference.memoryQuantity" }}
    {{- if .source.caConfigMap }}
- name: {{ .id }}-ca
  configMap:
    name: {{ .source.caConfigMap | quote }}
    items:
      - key: ca.crt
        path: ca.crt
    {{- end }}
  {{- end }}
{{- end }}
{{- if include "gpu-inference.bringsContents" . }}
- name: model-scripts
  configMap:
    name: {{ include "gpu-inference.serviceName" . }}-model-scripts
{{- end }}
{{- end }}
