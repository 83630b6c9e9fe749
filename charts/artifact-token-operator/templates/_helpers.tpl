{{- /* The chart's name, as it stands in names and labels. */ -}}
{{- define "artifact-token-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* The name of all objects. 46 characters leave room for the longest suffix in 63. */ -}}
{{- define "artifact-token-operator.fullname" -}}
{{- $name := include "artifact-token-operator.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 46 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 46 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 46 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "artifact-token-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "artifact-token-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "artifact-token-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "artifact-token-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: artifact-token-operator
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The operator's own pods: not those of the reference service and of hooks. */ -}}
{{- define "artifact-token-operator.operatorLabels" -}}
{{ include "artifact-token-operator.selectorLabels" . }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "artifact-token-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "artifact-token-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "artifact-token-operator.image" -}}
{{- $image := .Values.image -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- define "artifact-token-operator.referenceImage" -}}
{{- $image := .Values.referenceService.image -}}
{{- if $image.repository -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- else -}}
{{- include "artifact-token-operator.image" . -}}
{{- end -}}
{{- end -}}

{{- /* Whether this release works in all namespaces. Fails where scope and namespaces contradict each other. */ -}}
{{- define "artifact-token-operator.clusterScope" -}}
{{- $listed := gt (len .Values.namespaces) 0 -}}
{{- if and (eq .Values.rbac.scope "Cluster") $listed -}}
{{- fail "namespaces are listed, but rbac.scope is Cluster: set rbac.scope=Namespaces to work in these namespaces only" -}}
{{- else if and (eq .Values.rbac.scope "Namespaces") (not $listed) -}}
{{- fail "rbac.scope is Namespaces, but no namespace is listed: set namespaces={team-a,team-b}" -}}
{{- end -}}
{{- if not $listed -}}true{{- end -}}
{{- end -}}

{{- /* Which namespaces the operator works in. */ -}}
{{- define "artifact-token-operator.scopeArgs" -}}
{{- if not (include "artifact-token-operator.clusterScope" .) -}}
- --namespaces={{ join "," (uniq .Values.namespaces) }}
{{- end -}}
{{- end -}}

{{- /* The operator's own namespace: of the Lease, and of what ClusterTokenServices may name. */ -}}
{{- define "artifact-token-operator.operatorNamespace" -}}
{{- default .Release.Namespace .Values.serviceResourceNamespace -}}
{{- end -}}

{{- /* The name of the Lease, in the operator's own namespace. */ -}}
{{- define "artifact-token-operator.leaseName" -}}
{{- include "artifact-token-operator.fullname" . -}}
{{- end -}}

{{- /* One of the replicas works. */ -}}
{{- define "artifact-token-operator.leaderElectionArgs" -}}
{{- if .Values.leaderElection.enabled -}}
- --leader-election=on
- --lease-name={{ include "artifact-token-operator.leaseName" . }}
{{- end -}}
{{- end -}}

{{- /* Whether an object of the Prometheus operator is rendered. Takes the root, its values and its kind. */ -}}
{{- define "artifact-token-operator.monitored" -}}
{{- $known := .root.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" .kind) -}}
{{- if .values.enabled -}}
{{- if and (eq .values.renderMode "failIfMissing") (not $known) -}}
{{- fail (printf "the cluster has no kind %s: install the Prometheus operator, or set renderMode to skipIfMissing" .kind) -}}
{{- end -}}
{{- if or $known (eq .values.renderMode "alwaysRender") -}}true{{- end -}}
{{- end -}}
{{- end -}}
