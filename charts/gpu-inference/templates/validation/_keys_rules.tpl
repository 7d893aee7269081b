{{/* Rules for keys and tokens: both keys have one source, and tokens have one issuer and named subjects. */}}

{{- define "gpu-inference.keyErrors" -}}
{{- $errors := list -}}
{{- if and .Values.deployment.secondary_key (not .Values.deployment.primary_key) -}}
  {{- $errors = append $errors "deployment.secondary_key is given without deployment.primary_key: give both or neither." -}}
{{- end -}}
{{- if and .Values.keys.existingSecret (or .Values.deployment.primary_key .Values.deployment.secondary_key) -}}
  {{- $errors = append $errors "keys.existingSecret and deployment.primary_key or secondary_key are both given: keep the keys in one place." -}}
{{- end -}}
{{- range $own := list "primaryKey" "secondaryKey" -}}
  {{- $name := get $.Values.keys (printf "%sName" $own) -}}
  {{- if and (ne $name $own) (not $.Values.keys.existingSecret) -}}
    {{- $errors = append $errors (printf "keys.%sName is %s without keys.existingSecret: the chart's own Secret calls it %s. Give keys.existingSecret too, or leave keys.%sName out." $own $name $own $own) -}}
  {{- end -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}

{{- define "gpu-inference.tokenErrors" -}}
{{- $tokenAuth := .Values.tokenAuth -}}
{{- $errors := list -}}
{{- if and .Values.deployment.auth_enabled .Values.deployment.token_auth_enabled -}}
  {{- $errors = append $errors "Invalid configuration, auth_enabled and token_auth_enabled cannot both be true." -}}
{{- end -}}
{{- if .Values.deployment.token_auth_enabled -}}
  {{- if ne (len (list $tokenAuth.clusterIssuer $tokenAuth.jwks.configMap $tokenAuth.jwks.url | compact)) 1 -}}
    {{- $errors = append $errors "deployment.token_auth_enabled: true needs the keys of the tokens' issuer from one place: give just one of tokenAuth.clusterIssuer: true, tokenAuth.jwks.configMap and tokenAuth.jwks.url." -}}
  {{- end -}}
  {{- if not (or $tokenAuth.issuer $tokenAuth.clusterIssuer) -}}
    {{- $errors = append $errors "deployment.token_auth_enabled: true needs tokenAuth.issuer, the claim iss of the tokens, unless tokenAuth.clusterIssuer is true." -}}
  {{- end -}}
  {{- if not $tokenAuth.allowedSubjects -}}
    {{- $errors = append $errors "deployment.token_auth_enabled: true needs tokenAuth.allowedSubjects, the claim sub of those who may score: issuer and audience alone would admit everybody that the issuer knows." -}}
  {{- end -}}
{{- end -}}
{{- if and $tokenAuth.jwks.url (not (regexMatch "^https://([^/:@?#\\s]+|\\[[0-9a-fA-F:.]+\\])(:[0-9]{1,5})?(/[^\\s#]*)?$" $tokenAuth.jwks.url)) -}}
  {{- $errors = append $errors (printf "tokenAuth.jwks.url is %q, but must be a URL that begins with https://, without user and password: tokenAuth.jwks.tokenSecret is for credentials." $tokenAuth.jwks.url) -}}
{{- end -}}
{{- if and (or $tokenAuth.jwks.caConfigMap $tokenAuth.jwks.tokenSecret) (not $tokenAuth.jwks.url) -}}
  {{- $errors = append $errors "tokenAuth.jwks.caConfigMap and tokenSecret are for tokenAuth.jwks.url: give it, or leave them out." -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}
