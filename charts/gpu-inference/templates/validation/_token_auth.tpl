{{/* Rules about tokens: instead of keys, from one issuer that can be checked, and not of everybody. */}}

{{- define "gpu-inference.tokenAuthProblems" -}}
{{- $values := index . 1 -}}
{{- $tokenAuth := $values.tokenAuth -}}
{{- $problems := list -}}
{{- if and $values.deployment.auth_enabled $values.deployment.token_auth_enabled -}}
  {{- $problems = append $problems "Invalid configuration, auth_enabled and token_auth_enabled cannot both be true." -}}
{{- end -}}
{{- if $values.deployment.token_auth_enabled -}}
  {{- if ne (len (list $tokenAuth.clusterIssuer $tokenAuth.jwks.configMap $tokenAuth.jwks.url | compact)) 1 -}}
    {{- $problems = append $problems "deployment.token_auth_enabled: true needs the keys of the tokens' issuer from one place: give just one of tokenAuth.clusterIssuer: true, tokenAuth.jwks.configMap and tokenAuth.jwks.url." -}}
  {{- end -}}
  {{- if not (or $tokenAuth.issuer $tokenAuth.clusterIssuer) -}}
    {{- $problems = append $problems "deployment.token_auth_enabled: true needs tokenAuth.issuer, the claim iss of the tokens, unless tokenAuth.clusterIssuer is true." -}}
  {{- end -}}
  {{- if not $tokenAuth.allowedSubjects -}}
    {{- $problems = append $problems "deployment.token_auth_enabled: true needs tokenAuth.allowedSubjects, the claim sub of those who may score: issuer and audience alone would admit everybody that the issuer knows." -}}
  {{- end -}}
{{- end -}}
{{- if and $tokenAuth.jwks.url (not (regexMatch "^https://([^/:@?#\\s]+|\\[[0-9a-fA-F:.]+\\])(:[0-9]{1,5})?(/[^\\s#]*)?$" $tokenAuth.jwks.url)) -}}
  {{- $problems = append $problems (printf "tokenAuth.jwks.url is %q, but must be a URL that begins with https://, without user and password: tokenAuth.jwks.tokenSecret is for credentials." $tokenAuth.jwks.url) -}}
{{- end -}}
{{- if and (or $tokenAuth.jwks.caConfigMap $tokenAuth.jwks.tokenSecret) (not $tokenAuth.jwks.url) -}}
  {{- $problems = append $problems "tokenAuth.jwks.caConfigMap and tokenSecret are for tokenAuth.jwks.url: give it, or leave them out." -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}
