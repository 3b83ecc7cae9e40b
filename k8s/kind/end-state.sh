#!/usr/bin/env bash
# All contexts out of the monolith, by the commands of the playbook, for who wants to see the end state and not the way:
# stage 6, the moves, stage 7. It asks for no parity run, and waits five seconds where a shop of your own waits a day.
#   bash k8s/kind/end-state.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
CONTEXTS='notifications shipping inventory users payments orders'

stage() {
  kubectl apply -k "k8s/stages/$1"
  kubectl -n banyan wait --for=condition=complete job --all --timeout=10m
  kubectl -n banyan rollout status statefulset --timeout=5m
  kubectl -n banyan rollout status deployment --timeout=10m
}
banyan() { kubectl -n banyan exec deploy/mover -- /nodejs/bin/node src/cli.ts "$@"; }

stage 6-orders
for context in $CONTEXTS; do
  for verb in prepare backfill verify; do banyan "$verb" "$context"; done
  banyan switch "$context" --without-parity 'to see the end state'
done
for context in $CONTEXTS; do
  banyan verify "$context"
  banyan complete "$context" --confirm "$context" --quiet 5
done
stage 7-microservices
# What is applied takes nothing away.
kubectl -n banyan delete deploy,hpa,pdb,svc,job,sa -l 'app.kubernetes.io/name in (monolith,mover,proxies,database-shop,context-notifications,context-shipping,context-inventory,context-users,context-payments,context-orders)'
kubectl -n banyan delete netpol to-monolith calls-monolith to-proxies calls-proxies
