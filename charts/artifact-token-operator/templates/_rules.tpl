{{- /* What the operator may do in the namespaces in which it works. docs/reference/rbac.md says why. */ -}}
{{- define "artifact-token-operator.rules" -}}
- apiGroups: [artifact-token.dev]
  resources: [artifacttokens]
  verbs: [get, list, watch, patch]
- apiGroups: [artifact-token.dev]
  resources: [tokenservices]
  verbs: [list, watch, patch]
- apiGroups: [artifact-token.dev]
  resources: [artifacttokens/status, tokenservices/status]
  verbs: [update]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, {{ if .Values.secretWatch }}list, watch, {{ end }}create, patch, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{- /* What ClusterTokenServices need on top. */ -}}
{{- define "artifact-token-operator.clusterRules" -}}
- apiGroups: [artifact-token.dev]
  resources: [clustertokenservices]
  verbs: [list, watch, patch]
- apiGroups: [artifact-token.dev]
  resources: [clustertokenservices/status]
  verbs: [update]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- end -}}

{{- /* The account to which roles are bound. */ -}}
{{- define "artifact-token-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "artifact-token-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
